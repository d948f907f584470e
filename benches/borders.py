#!/usr/bin/env python3
"""What a reader may be made to do, at each border: peak memory, time, and bytes in the folder for temporary files.

    benches/borders.py target/release/restow

For each limit on streams, frames, windows, documents and names an archive that comes to exactly as much as is allowed, and one that
comes to one more: the first is read, the second is refused with the limit's name. Limits are those in force without
options, but for the two of bytes that are spooled, which no small disk holds: these are lowered to 256 MiB. Ends with 1
where an answer is not as it should be. Needs Python's lzma; zstd frames are made by hand."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

MIB = 1 << 20
MANIFEST = [{"Config": "c.json", "RepoTags": ["lab/app:1"], "Layers": ["l.tar"]}]


def tar(members: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def layer() -> bytes:
    return tar([("f", b"x")])


def image(extra: list[tuple[str, bytes]] = [], tags: list[str] | None = None) -> bytes:
    import hashlib

    one = layer()
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(one).hexdigest()]}}).encode()
    manifest = [dict(MANIFEST[0], RepoTags=tags or MANIFEST[0]["RepoTags"])]
    return tar([("c.json", config), ("l.tar", one), ("manifest.json", json.dumps(manifest).encode()), *extra])


def gzipped(plain: bytes) -> bytes:
    return gzip.compress(plain, 9, mtime=0)


def frame(plain: bytes, window_log: int) -> bytes:
    """A zstd frame of raw blocks whose header asks for a window."""
    out = b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3])
    for at in range(0, len(plain), 1 << 17):
        piece = plain[at : at + (1 << 17)]
        last = at + len(piece) == len(plain)
        out += (len(piece) << 3 | last).to_bytes(3, "little") + piece
    return out


EMPTY = b"\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00"


def xz(plain: bytes, dictionary: int) -> bytes:
    return lzma.compress(plain, format=lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": dictionary}])


class Measured:
    def __init__(self, restow: Path, folder: Path) -> None:
        self.restow, self.folder, self.wrong = restow, folder, 0

    def run(self, arguments: list[str], stdin: Path | None = None) -> tuple[int, str, float, float, int]:
        spool = self.folder / "spool"
        spool.mkdir(exist_ok=True)
        most, peak, done = [0], [0], threading.Event()

        def watch() -> None:
            while not done.is_set():
                found = 0
                for root, _, files in os.walk(spool):
                    for name in files:
                        try:
                            found += os.stat(os.path.join(root, name)).st_blocks * 512
                        except OSError:
                            pass
                most[0] = max(most[0], found)
                try:
                    told = Path(f"/proc/{child.pid}/status").read_text()
                    peak[0] = max([peak[0], *(int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM"))])
                except OSError:
                    pass
                done.wait(0.002)

        watcher = threading.Thread(target=watch)
        begun = time.monotonic()
        with open(stdin or os.devnull, "rb") as given:
            child = subprocess.Popen([self.restow, *arguments, "--tmpdir", spool], stdin=given,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            watcher.start()
            said = child.stdout.read().decode(errors="replace")  # type: ignore[union-attr]
            child.wait()
        seconds = time.monotonic() - begun
        done.set()
        watcher.join()
        return child.returncode, said, peak[0] / 1024, seconds, most[0]

    def border(self, limit: str, what: str, within: bytes, beyond: bytes, options: list[str] = [], stream: bool = False) -> None:
        for word, data in (("at the border", within), ("one more", beyond)):
            file = self.folder / "input"
            file.write_bytes(data)
            code, said, peak, seconds, spooled = self.run(["check", *options, "-" if stream else str(file)], file if stream else None)
            refused = limit in said
            if refused != (word == "one more") or code not in (0, 1, 2):
                self.wrong += 1
                print(f"NOT AS IT SHOULD BE: {limit}, {word}: exit {code}: {said[-300:]}")
            print(f"| `{limit}` | {what}, {word} | {len(data):,} | {'refused' if refused else 'read'} | {f'{peak:.0f} MB' if peak else 'not seen'} | {seconds:.2f} s | {spooled / MIB:.1f} MiB |")
            file.unlink()


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="restow-borders-") as name:
        at = Measured(Path(sys.argv[1]).resolve(), Path(name))
        print("| limit | input | bytes of it | | peak | time | spooled |\n|---|---|---|---|---|---|---|")
        big = 256 * MIB
        option = ["--limit", f"spooled-member-bytes={big}"]
        at.border("spooled-member-bytes", "a member of 256 MiB of zeros in gzip", gzipped(image([("z", bytes(big))])), gzipped(image([("z", bytes(big + 1))])), option)
        own = len(json.dumps(MANIFEST)) + 0
        plain = image()
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            own = sum(member.size for member in archive.getmembers())
        option = ["--limit", f"spool-bytes={big}"]
        at.border("spool-bytes", "members of 256 MiB in gzip", gzipped(image([("z", bytes(big - own))])), gzipped(image([("z", bytes(big - own + 1))])), option)
        # Once more than a GiB has come, 250 bytes for each of the compressed ones; zeros come to 1,000.
        rest = (1 << 30) - len(plain)
        at.border("spool-ratio", "zeros behind the end, a GiB in all", gzipped(plain + bytes(rest)), gzipped(plain + bytes(rest + 1)))
        at.border("empty-frames", "frames without content behind the archive", frame(plain, 20) + EMPTY * 1000, frame(plain, 20) + EMPTY * 1001)
        at.border("zstd-window-log", "a window of 128 and of 256 MiB", frame(plain, 27), frame(plain, 28))
        at.border("zstd-window-log", "a dictionary of xz of 128 and of 192 MiB", xz(plain, 128 * MIB), xz(plain, 192 * MIB))
        text = lambda size: b'{"schemaVersion":2,"x":"' + b"x" * (size - 26) + b'"}'
        at.border("document-bytes", "a document on a stream, of 16 MiB", text(16 * MIB), text(16 * MIB + 1), ["--as", "config"], stream=True)
        tags = lambda count: [f"lab/a:{n}" for n in range(count)]
        at.border("names", "100,000 RepoTags", image(tags=tags(100_000)), image(tags=tags(100_001)))
        code, said, peak, seconds, _ = (at.folder.joinpath("input").write_bytes(image(tags=tags(490_000))), at.run(["check", str(at.folder / "input")]))[1]
        print(f"| `names` | 490,000 RepoTags | {at.folder.joinpath('input').stat().st_size:,} | {'refused' if 'names' in said else 'READ'} | {peak:.0f} MB | {seconds:.2f} s | 0 |")
        return int(at.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Makes about forty images with docker, podman, buildah, skopeo, umoci and ctr, and checks what each of them writes.

    tests/made/forty.py RESTOW ROOT

ROOT is a folder with a distribution as debootstrap makes it (`debootstrap --variant=minbase bookworm ROOT`). What they make is
sound, so nothing may be an error; and a warning must be one whose rule names a tool that refuses or changes such an image, by
the record. Ends with a line for each place that is not without a word, the rules that were met, and the counts; exits 1 where
something is an error, a warning has no evidence, or a tool that is here did not write what it was asked for. Daemons are started with folders of their
own. Needs root, and some gigabytes below TMPDIR. Not a part of CI: it takes minutes, and what it came to stands in docs/proofs.md#sound.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from io import BytesIO
from pathlib import Path

LONG = 900


class Failed(Exception):
    pass


def run(*command: object, **options: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LONG, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise Failed(f"{' '.join(words)}: {' '.join((done.stderr or done.stdout).split())[-300:]}")
    return str(done.stdout).strip()


def base(root: Path, out: Path) -> None:
    """The distribution as one layer."""
    tops = [name for name in sorted(os.listdir(root)) if name not in ("proc", "sys", "dev", "tmp", "run")]
    run("tar", "--numeric-owner", "--xattrs", "--exclude=var/cache/apt/*", "--exclude=var/lib/apt/lists/*", "--exclude=usr/share/doc/*",
        "-C", root, "-cf", out, *tops)


def odd(out: Path) -> None:
    """A root with what archives of layers get wrong: long and strange names, links of both kinds, devices, sparse and empty files."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        def add(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", link: str = "", **more: object) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname, info.mode = kind, len(data), link, 0o755
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, BytesIO(data))

        for folder in ("bin", "dev", "deep", "x" * 120):
            add(folder, tarfile.DIRTYPE)
        add("bin/tool", data=b"#!/bin/sh\n", mode=0o4755)
        add("bin/hard", tarfile.LNKTYPE, link="bin/tool")
        add("bin/soft", tarfile.SYMTYPE, link="/bin/tool")
        add("bin/up", tarfile.SYMTYPE, link="../../../bin/tool")
        add("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
        add("dev/pipe", tarfile.FIFOTYPE)
        add("empty")
        add("zeros", data=bytes(1 << 20))
        add("x" * 120 + "/" + "y" * 180, data=b"long")
        add("deep/" + "/".join("d" * 8 for _ in range(30)), data=b"deep")
        add("näme mit ü, 日本 and a\nline", data=b"strange")
        add("large-id", data=b"id", uid=3_000_000, gid=3_000_000)
        add("old", data=b"old", mtime=0)
        add("fraction", data=b"f", mtime=1_700_000_000.25, pax_headers={"SCHILY.xattr.user.note": "kept"})


def tree(folder: Path, files: int) -> Path:
    for at in range(files):
        place = folder / f"{at % 97:02}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file-{at}").write_text(f"{at}\n" * (at % 7))
    return folder


class Made:
    """What was made: a name and a place for restow."""

    def __init__(self) -> None:
        self.places: list[tuple[str, str]] = []
        self.missing: list[str] = []

    def by(self, what: str, place: str, *command: object, **options: object) -> None:
        try:
            if command:
                run(*command, **options)
            self.places.append((what, place))
        except (Failed, FileNotFoundError, subprocess.TimeoutExpired) as why:
            self.missing.append(f"{what}: {why}")


def context(work: Path, layers: int) -> Path:
    """A folder to build from."""
    folder = work / "context"
    tree(folder / "many", 20_000)
    for at in range(layers):
        (folder / f"layer-{at}").write_text(f"{at}\n")
    (folder / "Base").write_text(
        "FROM base\nENV A=1 B=\"two words\"\nLABEL a.b=c\nWORKDIR /srv\nCOPY many /srv/many\nUSER 1000:1000\n"
        'EXPOSE 80/tcp\nVOLUME /data\nSTOPSIGNAL SIGINT\nHEALTHCHECK CMD true\nENTRYPOINT ["/bin/sh"]\nCMD ["-c", "true"]\n'
    )
    copies = "".join(f"COPY layer-{at} /layers/{at}\n" for at in range(layers))
    (folder / "Layers").write_text(f"FROM base\n{copies}")
    (folder / "Scratch").write_text("FROM scratch\nLABEL nothing=here\nCMD [\"/none\"]\n")
    (folder / "Odd").write_text("FROM odd\nCOPY layer-0 /deep/\nCOPY layer-1 /bin/tool\n")
    (folder / "Removes").write_text("FROM base\nRUN rm -rf /usr/share/man /etc/motd && mkdir /usr/share/man && ln -s /bin /b && touch /b/x\n")
    return folder


def docker(made: Made, home: Path, out: Path, folder: Path, tars: dict[str, Path]) -> None:
    call = ["docker", "-H", f"unix://{home}/docker.sock"]
    names = []
    for name, tar in tars.items():
        run(*call, "import", tar, name)
    for name in ("Base", "Layers", "Scratch", "Odd", "Removes"):
        tag = f"docker/{name.lower()}:1"
        try:
            run(*call, "build", "--network", "none", "-q", "-t", tag, "-f", folder / name, folder, env=dict(os.environ, DOCKER_BUILDKIT="0"))
            # Docker saves no image without layers: "empty export - not implemented".
            if name == "Scratch":
                continue
            names.append(tag)
            made.by(f"docker save {tag}", f"{out}/docker-{name}.tar", *call, "save", "-o", f"{out}/docker-{name}.tar", tag)
        except Failed as why:
            made.missing.append(f"docker build {name}: {why}")
    made.by("docker save, several", f"{out}/docker-all.tar", *call, "save", "-o", f"{out}/docker-all.tar", *names)
    image = run(*call, "image", "inspect", "--format", "{{.Id}}", names[0])
    made.by("docker save by ID", f"{out}/docker-id.tar", *call, "save", "-o", f"{out}/docker-id.tar", image)
    try:
        container = run(*call, "create", "--network", "none", names[0])
        run(*call, "commit", "-m", "by hand", "-c", "CMD [\"x\"]", container, "docker/commit:1")
        made.by("docker commit", f"{out}/docker-commit.tar", *call, "save", "-o", f"{out}/docker-commit.tar", "docker/commit:1")
    except Failed as why:
        made.missing.append(f"docker commit: {why}")


def podman(made: Made, work: Path, out: Path, folder: Path, tars: dict[str, Path]) -> None:
    call = ["podman", "--root", work / "podman", "--runroot", work / "prun", "--cgroup-manager=cgroupfs", "--events-backend=file"]
    for name, tar in tars.items():
        run(*call, "import", tar, f"localhost/{name}")
    for name in ("Base", "Layers", "Scratch", "Odd"):
        tag = f"localhost/podman/{name.lower()}:1"
        try:
            run(*call, "build", "--isolation", "chroot", "-q", "-t", tag, "-f", folder / name, folder)
        except Failed as why:
            made.missing.append(f"podman build {name}: {why}")
            continue
        for form in ("docker-archive", "oci-archive"):
            file = out / f"podman-{name}-{form}.tar"
            made.by(f"podman save --format {form} {name}", str(file), *call, "save", "--format", form, "-o", file, tag)
    tag = "localhost/podman/base:1"
    for form in ("oci-dir", "docker-dir"):
        made.by(f"podman save --format {form}", str(out / form), *call, "save", "--format", form, "-o", out / form, tag)
    many = out / "podman-many.tar"
    made.by("podman save -m", str(many), *call, "save", "-m", "-o", many, tag, "localhost/podman/scratch:1")
    try:
        run(*call, "manifest", "create", "localhost/list:1")
        run(*call, "manifest", "add", "localhost/list:1", f"containers-storage:{tag}")
        run(*call, "manifest", "add", "--os", "linux", "--arch", "arm64", "localhost/list:1", "containers-storage:localhost/podman/scratch:1")
        made.by("podman manifest push --all", f"oci:{out}/podman-list:1", *call, "manifest", "push", "--all", "localhost/list:1", f"oci:{out}/podman-list:1")
    except Failed as why:
        made.missing.append(f"podman manifest: {why}")


def buildah(made: Made, work: Path, out: Path, folder: Path, tars: dict[str, Path]) -> None:
    call = ["buildah", "--root", work / "buildah", "--runroot", work / "brun"]
    for name, tar in tars.items():
        container = run(*call, "from", "scratch")
        run(*call, "add", container, tar, "/")
        run(*call, "commit", "-q", container, f"localhost/{name}")
    for name, more in (("Base", []), ("Layers", ["--layers"]), ("Odd", ["--squash"]), ("Base", ["--format", "docker", "--timestamp", "0"])):
        word = "-".join([name, *more]).strip("-").replace("--", "")
        tag = f"localhost/buildah/{word.lower()}:1"
        try:
            run(*call, "build", "--isolation", "chroot", "-q", *more, "-t", tag, "-f", folder / name, folder)
        except Failed as why:
            made.missing.append(f"buildah build {word}: {why}")
            continue
        made.by(f"buildah push {word} oci:", f"oci:{out}/buildah-{word}:1", *call, "push", "-q", tag, f"oci:{out}/buildah-{word}:1")
    tag = "localhost/buildah/base:1"
    for form in ("docker-archive", "oci-archive", "dir"):
        file = out / f"buildah-{form}"
        made.by(f"buildah push {form}:", f"{form}:{file}", *call, "push", "-q", tag, f"{form}:{file}")
    made.by("buildah push, zstd", f"oci:{out}/buildah-zstd:1", *call, "push", "-q", "--compression-format", "zstd", tag, f"oci:{out}/buildah-zstd:1")


def skopeo(made: Made, out: Path) -> None:
    source = f"oci-archive:{out}/podman-Base-oci-archive.tar"
    for word, more, place in (
        ("to dir", [], f"dir:{out}/skopeo-dir"),
        ("to dir as v2s2", ["--format", "v2s2"], f"dir:{out}/skopeo-v2s2"),
        ("decompressed", ["--dest-decompress"], f"dir:{out}/skopeo-plain"),
        ("zstd", ["--dest-compress-format", "zstd", "--dest-compress"], f"oci:{out}/skopeo-zstd:1"),
        ("to docker-archive", [], f"docker-archive:{out}/skopeo.tar:skopeo/base:1"),
        ("from docker to oci", [], f"oci:{out}/skopeo-oci:1"),
    ):
        given = f"docker-archive:{out}/docker-Base.tar" if word == "from docker to oci" else source
        made.by(f"skopeo copy {word}", place.removesuffix(":skopeo/base:1"), "skopeo", "copy", "-q", *more, given, place)


def umoci(made: Made, work: Path, out: Path, folder: Path) -> None:
    layout = out / "umoci"
    image = f"{layout}:1"
    made.by("umoci init, new", str(layout))
    try:
        run("umoci", "init", "--layout", layout)
        run("umoci", "new", "--image", image)
        run("umoci", "insert", "--image", image, folder / "many", "/many")
        run("umoci", "unpack", "--image", image, work / "bundle")
        shutil.rmtree(work / "bundle/rootfs/many/01")
        (work / "bundle/rootfs/new").write_text("new")
        run("umoci", "repack", "--image", f"{layout}:2", work / "bundle")
        run("umoci", "insert", "--image", f"{layout}:2", "--opaque", folder / "many/02", "/many/03")
        run("umoci", "insert", "--image", f"{layout}:2", "--whiteout", "/many/04")
        run("umoci", "config", "--image", f"{layout}:2", "--config.cmd", "x", "--config.env", "A=b", "--architecture", "arm64", "--tag", "3")
    except Failed as why:
        made.missing.append(f"umoci: {why}")
    shutil.copytree(out / "buildah-Base", out / "umoci-repacked")
    try:
        run("umoci", "unpack", "--image", f"{out}/umoci-repacked:1", work / "bundle2")
        (work / "bundle2/rootfs/etc/motd").write_text("changed")
        run("umoci", "repack", "--image", f"{out}/umoci-repacked:2", work / "bundle2")
        made.by("umoci repack of an image of buildah", f"{out}/umoci-repacked")
    except Failed as why:
        made.missing.append(f"umoci repack: {why}")


def ctr(made: Made, home: Path, out: Path) -> None:
    call = ["ctr", "--address", f"{home}/containerd.sock"]
    for file in ("docker-Base.tar", "docker-Odd.tar", "podman-Base-oci-archive.tar"):
        try:
            run(*call, "images", "import", "--base-name", f"ctr/{file}".lower(), out / file)
        except Failed as why:
            made.missing.append(f"ctr import {file}: {why}")
    names = [name for name in run(*call, "images", "ls", "-q").splitlines() if "@" not in name]
    for at, name in enumerate(names):
        file = out / f"ctr-{at}.tar"
        made.by(f"ctr export {name}", str(file), *call, "images", "export", file, name)
    if names:
        run(*call, "images", "convert", "--oci", names[0], "ctr/converted:1")
        made.by("ctr convert --oci, export", f"{out}/ctr-converted.tar", *call, "images", "export", out / "ctr-converted.tar", "ctr/converted:1")
        made.by("ctr export, several", f"{out}/ctr-all.tar", *call, "images", "export", out / "ctr-all.tar", *names)


def judge(restow: Path, made: Made, root: Path) -> int:
    evidence = json.loads((root / "src/rules/evidence.json").read_text())
    counts: Counter[str] = Counter()
    rules: dict[str, Counter[str]] = {"error": Counter(), "warning": Counter(), "note": Counter()}
    wrong = 0
    for what, place in made.places:
        done = subprocess.run([restow, "check", "--no-config", "--report", "json", place], capture_output=True, text=True, check=False)
        try:
            (source,) = json.loads(done.stdout)["sources"]
            findings = source["findings"]
        except (ValueError, KeyError):
            print(f"{what}: {done.stderr.strip()}")
            wrong += 1
            continue
        met = Counter(finding["level"] for finding in findings)
        for finding in findings:
            rules[finding["level"]][finding["rule"]] += 1
        counts["images"] += source.get("images", 0) if isinstance(source.get("images"), int) else len(source.get("images", []))
        if met["error"] or met["warning"]:
            told = sorted({f"{f['level']}[{f['rule']}]" for f in findings if f["level"] != "note"})
            print(f"{what}: {', '.join(told)}")
        wrong += met["error"] > 0
    for rule in rules["warning"]:
        page = run(restow, "explain", rule)
        known = "Recorded" in page or rule in json.dumps(evidence)
        print(f"warning {rule}: {rules['warning'][rule]}{'' if known else ', WITHOUT EVIDENCE'}")
        wrong += not known
    for rule, many in sorted(rules["note"].items()):
        print(f"note {rule}: {many}")
    for line in made.missing:
        print(f"not made: {line}")
    print(f"{len(made.places)} places, {sum(rules['error'].values())} errors, {sum(rules['warning'].values())} warnings, "
          f"{sum(rules['note'].values())} notes, {len(made.missing)} not made")
    return int(wrong > 0 or bool(made.missing))


def main() -> int:
    restow, root = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory(prefix="restow-forty-") as name:
        home = Path(name)
        work, out = home / "work", home / "out"
        work.mkdir()
        out.mkdir()
        tars = {"base": work / "base.tar", "odd": work / "odd.tar"}
        base(root, tars["base"])
        odd(tars["odd"])
        folder = context(work, 60)
        made = Made()
        containerd = ["containerd", "--address", home / "containerd.sock", "--root", home / "croot", "--state", home / "cstate"]
        dockerd = ["dockerd", "--iptables=false", "--bridge=none", "--data-root", home / "docker", "--exec-root", home / "exec",
                   "-H", f"unix://{home}/docker.sock", "--pidfile", home / "docker.pid"]
        with open(home / "log", "w") as log:
            servers = [subprocess.Popen([str(word) for word in command], stdout=log, stderr=log) for command in (containerd, dockerd)]
        try:
            for _ in range(300):
                if subprocess.run(["docker", "-H", f"unix://{home}/docker.sock", "version"], capture_output=True, check=False).returncode == 0:
                    break
                time.sleep(0.1)
            for step in (lambda: docker(made, home, out, folder, tars), lambda: podman(made, work, out, folder, tars),
                         lambda: buildah(made, work, out, folder, tars), lambda: skopeo(made, out),
                         lambda: umoci(made, work, out, folder), lambda: ctr(made, home, out)):
                try:
                    step()
                except (Failed, OSError, subprocess.TimeoutExpired) as why:
                    made.missing.append(str(why))
            return judge(restow, made, Path(__file__).resolve().parents[2])
        finally:
            for server in reversed(servers):
                server.terminate()
                server.wait(60)
            for mounted in ("podman", "buildah"):
                subprocess.run(["umount", "-R", work / mounted / "overlay"], capture_output=True, check=False)


if __name__ == "__main__":
    sys.exit(main())

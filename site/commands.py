#!/usr/bin/env python3
"""Runs the commands on the pages of the site: every block of `sh` and `python`, as it stands, in the order of the page.

    site/commands.py RESTOW [PAGE…]

A block whose first line is or ends with `# not run: REASON` is passed over, and the page says so; one that begins with
`# needs PROGRAM` is where that is not in PATH. Each page
has a folder of its own with `corpus/`, a sound archive `app.tar` and one that was cut, `cut.tar`; `restow` is in PATH,
and so is a Python that has the package. Lines that begin with `#   ` tell what the command above prints: it must, in
that order, where `…` stands for anything. Without such lines a command must end with 0. Pages that name localhost:5000
and localhost:5001 have an empty registry there (docker-registry).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"# not run: \S")
NEEDS = re.compile(r"# needs (\S+)$")


def main() -> None:
    restow = Path(sys.argv[1]).resolve()
    pages = [Path(name).resolve() for name in sys.argv[2:]] or PAGES
    ran = passed = 0
    for page in pages:
        blocks = BLOCK.findall(page.read_text())
        wanted = [shell(*block) for block in blocks if is_run(block[1].partition("\n")[0])]
        passed += len(blocks) - len(wanted)
        if wanted:
            run(page, wanted, restow)
            ran += len(wanted)
    print(f"{ran} blocks of commands were run, {passed} say that they are not, or need what is not here")


def is_run(first: str) -> bool:
    """Whether a block with this first line is run here."""
    needed = NEEDS.match(first)
    return not NOT_RUN.search(first) and (needed is None or shutil.which(needed[1]) is not None)


def shell(language: str, block: str) -> str:
    """A block as the shell takes it."""
    return block if language == "sh" else f"python3 - <<'PY'\n{block}PY\n"


def run(page: Path, blocks: list[str], restow: Path) -> None:
    """Runs the blocks of one page, one after another in the same shell."""
    with tempfile.TemporaryDirectory(prefix="restow-site-") as name, ExitStack() as stack:
        folder = Path(name, "work")
        folder.mkdir()
        (folder / "corpus").symlink_to(ROOT / "corpus")
        archive = (ROOT / "corpus/good/docker-archive/docker-20.10/archive.tar").read_bytes()
        (folder / "app.tar").write_bytes(archive)
        (folder / "cut.tar").write_bytes(archive[:40000])
        programs = Path(name, "bin")
        programs.mkdir()
        (programs / "restow").symlink_to(restow)
        for port in (5000, 5001):
            if any(f"localhost:{port}" in block for block in blocks):
                stack.enter_context(registry(port, Path(name, str(port))))
        chunks = [chunk for block in blocks for chunk in chunks_of(block)]
        script = ["set -u"]
        for number, (command, expected) in enumerate(chunks):
            # What is expected may be a failure; else the first one ends it.
            script += [f"exec >'{name}/{number}.out' 2>&1", "set +e" if expected else "set -e", command]
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": name,
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT / "python"),
            "GITHUB_STEP_SUMMARY": "summary.md",
            # Nothing is installed on the machine that runs this.
            "PIP_REQUIRE_VIRTUALENV": "1",
            "RESTOW_BINARY": str(restow),
        }
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)], cwd=folder, env=environment, stdin=subprocess.DEVNULL, timeout=600
        )
        for number, (command, expected) in enumerate(chunks):
            output = Path(name, f"{number}.out")
            if not output.exists():
                break
            printed = output.read_text(errors="replace")
            if missing := absent(printed, expected):
                sys.exit(f"FAILED: {page.name}: {command.strip()}\n--- not printed: {missing}\n--- but\n{printed}")
            last = f"{page.name}: {command.strip()}\n{printed}"
        if done.returncode != 0 and not chunks[-1][1]:
            sys.exit(f"FAILED with status {done.returncode}: {last}")
        print(f"{page.name}: {len(blocks)} blocks")


def chunks_of(block: str) -> Iterator[tuple[str, list[str]]]:
    """Commands, each with the lines that it is said to print."""
    command: list[str] = []
    expected: list[str] = []
    for line in block.splitlines():
        if line.startswith("#   "):
            expected.append(line.removeprefix("#   "))
            continue
        if expected:
            yield "\n".join(command), expected
            command, expected = [], []
        command.append(line)
    yield "\n".join(command), expected


def absent(printed: str, expected: list[str]) -> str | None:
    """The first piece of what is expected that was not printed behind the one before it."""
    text, at = " ".join(printed.split()), 0
    for piece in (piece for line in expected for piece in line.split("…")):
        piece = " ".join(piece.split())
        found = text.find(piece, at)
        if found < 0:
            return piece
        at = found + len(piece)
    return None


@contextmanager
def registry(port: int, folder: Path) -> Iterator[None]:
    """An empty registry at a port of this machine."""
    program = shutil.which("docker-registry")
    if program is None:
        sys.exit("FAILED: there is no docker-registry")
    folder.mkdir()
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/storage}}, delete: {{enabled: true}}}}\n"
        f'http: {{addr: "127.0.0.1:{port}"}}\n'
    )
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            sys.exit(f"FAILED: something is at port {port} already")
    with open(folder / "log", "wb") as log, subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log) as server:
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield
        finally:
            server.terminate()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Pulls every sound archive out of `restow serve`, with each tool that is here.

    tests/serve/pull.py RESTOW [PLACE…]

Without PLACEs: every case of `corpus/good`, and the samples beside the project where they are. Each place is served; skopeo copies
every name with all that is below it, byte for byte, and restow compares; docker, podman, buildah and ctr pull every name that has
an image for linux/amd64, and must have its image ID then. Ends with a line for each tool: how many names it took, and what it
did not take, in its own words. Daemons are started with folders of their own. Needs root.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Tests of other things, which take a place in a table of their own there.
LONG = 120


def say(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=LONG, check=False)


@contextmanager
def process(command: list[object], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("w") as out:
        child = subprocess.Popen([str(word) for word in command], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()


def until(ready: object, child: subprocess.Popen[bytes] | None = None) -> bool:
    for _ in range(600):
        if ready():  # type: ignore[operator]
            return True
        if child is not None and child.poll() is not None:
            return bool(ready())  # type: ignore[operator]
        time.sleep(0.05)
    return False


def places() -> list[str]:
    good = [path for path in sorted((ROOT / "corpus/good").glob("*/*/archive*")) if path.parts[-3] != "document"]
    return [str(path) for path in good + sorted((ROOT / "../shared/samples").glob("*.tar"))]


def images(entry: dict) -> Iterator[dict]:
    if entry["kind"] == "image":
        yield entry
    for child in entry["manifests"]:
        yield from images(child)


class Tools:
    """Each pulls a name and gives the image ID that it has then, or why it has none."""

    def __init__(self, work: Path, home: Path) -> None:
        self.work, self.home = work, home
        self.number = 0

    def docker(self, name: str, _: str) -> str:
        docker = ["docker", "-H", f"unix://{self.home}/docker.sock"]
        pulled = say(*docker, "pull", "--quiet", "--platform", "linux/amd64", name)
        if pulled.returncode:
            return pulled.stderr
        return say(*docker, "image", "inspect", "--format", "{{.Id}}", name).stdout.strip()

    def podman(self, name: str, _: str) -> str:
        store = ["--root", self.work / "podman", "--runroot", self.work / "run", "--storage-driver=vfs"]
        pulled = say("podman", *store, "--cgroup-manager=cgroupfs", "--events-backend=file", "pull", "--quiet",
                     "--platform", "linux/amd64", "--tls-verify=false", name)
        return pulled.stderr if pulled.returncode else "sha256:" + pulled.stdout.strip()

    def buildah(self, name: str, _: str) -> str:
        store = ["--root", self.work / "buildah", "--runroot", self.work / "brun", "--storage-driver=vfs"]
        pulled = say("buildah", *store, "pull", "--quiet", "--platform", "linux/amd64", "--tls-verify=false", name)
        return pulled.stderr if pulled.returncode else "sha256:" + pulled.stdout.strip()

    def ctr(self, name: str, wanted: str) -> str:
        ctr = ["ctr", "--address", f"{self.home}/containerd.sock"]
        pulled = say(*ctr, "images", "pull", "--plain-http", "--snapshotter", "native", "--platform", "linux/amd64", name)
        if pulled.returncode:
            return pulled.stderr + pulled.stdout[-200:]
        got = subprocess.run([*ctr, "content", "get", wanted], capture_output=True, check=False)
        return "sha256:" + hashlib.sha256(got.stdout).hexdigest()


def main() -> None:
    restow = Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:] or places()
    took: dict[str, int] = {}
    failed: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="restow-pull-") as folder:
        home = Path(folder)
        containerd = ["containerd", "--address", home / "containerd.sock", "--root", home / "croot", "--state", home / "cstate"]
        dockerd = ["dockerd", "--iptables=false", "--bridge=none", "--data-root", home / "docker", "--exec-root", home / "exec",
                   "-H", f"unix://{home}/docker.sock", "--pidfile", home / "docker.pid"]
        with process(containerd, home / "containerd.log"), process(dockerd, home / "dockerd.log"):
            until(lambda: say("docker", "-H", f"unix://{home}/docker.sock", "version").returncode == 0)
            for place in wanted:
                work = home / "work"
                work.mkdir()
                serve(restow, place, Tools(work, home), took, failed)
                say("umount", "-R", work / "podman", work / "buildah")
                shutil.rmtree(work, ignore_errors=True)
    for tool in sorted(took | failed):
        print(f"{tool}: {took.get(tool, 0)} as they are, {len(failed.get(tool, []))} not")
        for line in failed.get(tool, []):
            print(f"  {line}")


def serve(restow: Path, place: str, tools: Tools, took: dict[str, int], failed: dict[str, list[str]]) -> None:
    short = "/".join(Path(place).parts[-3:])
    log = tools.work / "log"

    def told(tool: str, why: str | None) -> None:
        if why is None:
            took[tool] = took.get(tool, 0) + 1
        else:
            failed.setdefault(tool, []).append(f"{short}: {' '.join(why.split())[-160:]}")

    with process([restow, "serve", "--verbose", "--listen", "127.0.0.1:0", place], log) as child:
        if not until(lambda: "serving http" in log.read_text() and "\n" in log.read_text().split("serving http")[1], child):
            told("restow serve", log.read_text() or "nothing")
            return
        time.sleep(0.1)
        lines = log.read_text().split("serving http://")[1].splitlines()
        told("restow serve", None)
        for name in (line.strip() for line in lines[1:] if line.startswith("  " + lines[0])):
            out = f"dir:{tools.work}/skopeo"
            copied = say("skopeo", "copy", "--quiet", "--all", "--preserve-digests", "--src-tls-verify=false", f"docker://{name}", out)
            same = say(restow, "compare", "--referrers", "0", "--ignore", "names", f"docker://{name}", out)
            told("skopeo", (copied.stderr or same.stdout) if copied.returncode or same.returncode else None)
            shutil.rmtree(tools.work / "skopeo", ignore_errors=True)
            shown = say(restow, "inspect", "--json", f"docker://{name}")
            told("restow inspect", shown.stderr if shown.returncode else None)
            seen = json.loads(shown.stdout or '{"images": []}')
            fitting = [image for entry in seen["images"] for image in images(entry) if image["platform"] == "linux/amd64"]
            for tool in ("docker", "podman", "buildah", "ctr") if fitting else ():
                got = getattr(tools, tool)(name, fitting[0]["id"])
                told(tool, None if got in [image["id"] for image in fitting] else got)


main()

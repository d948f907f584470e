#!/usr/bin/env python3
"""Whenever two readers take different images out of one archive, restow's exit is not 0.

    tests/readers/differential.py target/debug/restow                       # some hundred archives, as the test does
    tests/readers/differential.py target/release/restow --seconds 36000     # hours; each run another seed
    tests/readers/differential.py target/release/restow --tools             # also what skopeo takes, where it is installed

Archives are made of two sound images (`archives.py`), altered by a seed (`mutate.py`), and read by loaders that do as
docker, containers/image, containerd and a script do (`loaders.py`). Two readers of one half of an archive differ if both
take something and it is not the same; a reader and restow differ if restow finds no error and `inspect` shows other
images. Prints what differed, keeps the archives in --keep, and ends with 1."""

import argparse
import collections
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import archives
import loaders
from loaders import Taken
from mutate import Mutator

BATCH = 40


def made(seed: int, number: int):
    """The archive of a number: its form, what was altered, its bytes."""
    rng = random.Random(f"{seed}/{number}")
    sound = SOUND[number % len(SOUND)]
    done, data = Mutator(rng, sound).run()
    return sound.form, done, data


SOUND = archives.sound()


class Run:
    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder
        self.counts = collections.Counter()
        self.by_kind = collections.Counter()
        self.problems: list[str] = []

    def restow(self, *args: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.args.restow, *args], capture_output=True, cwd=self.folder, timeout=120, check=False)

    def sound(self, paths: list[Path]) -> dict[Path, tuple[bool, bool]]:
        """Of each whether restow finds no error in it, and whether it warns."""
        out = self.restow("check", "--report", "json", *(path.name for path in paths))
        if out.returncode not in (0, 1, 2):
            raise SystemExit(f"restow ended with {out.returncode}: {out.stderr.decode()[-500:]}")
        said = {source["source"]: source for source in json.loads(out.stdout)["sources"]}
        return {path: self.passes(said[path.name]) for path in paths}

    @staticmethod
    def passes(source: dict) -> tuple[bool, bool]:
        summary = source.get("summary", {})
        # What is refused as no archive at all has no verdict.
        return source.get("sound") is True and summary.get("errors", 1) == 0, summary.get("warnings", 0) > 0

    def images(self, path: Path) -> frozenset:
        """The IDs of what restow itself sees."""
        out = self.restow("inspect", "--json", path.name)
        if out.returncode != 0:
            return frozenset()
        found, rest = set(), list(json.loads(out.stdout)["images"])
        while rest:
            item = rest.pop()
            rest += item.get("manifests", [])
            if item["kind"] == "image" and "id" in item:
                found.add(item["id"])
        return frozenset(found)

    def ours(self, path: Path, taken: dict) -> list[str]:
        """Where restow sees something else than the loaders, or the loaders of one half than those of the other."""
        ours = self.images(path)
        halves = {half: value for (half, _), value in taken.items()}
        union = frozenset(one for value in halves.values() for one, _ in value.images)
        if halves and union != ours:
            return [f"restow {short(ours)}; the loaders {short(union)}"]
        # Docker itself leaves images without a tag out of index.json, which is a warning: those may be in one half only.
        everywhere = [frozenset(one for one, _ in value.images) for value in halves.values()]
        named = frozenset(one for value in halves.values() for _, one in value.names)
        if any(named - images for images in everywhere):
            return ["; ".join(f"{half} {shown(value)}" for half, value in halves.items())]
        return []

    def batch(self, numbers: list[int]) -> None:
        made_of = {}
        for number in numbers:
            form, done, data = made(self.args.seed, number)
            path = self.folder / f"{number}.tar"
            path.write_bytes(data)
            made_of[path] = (form, done, data)
        sound = self.sound(list(made_of))
        for path, (form, done, data) in made_of.items():
            self.one(path, form, done, data, *sound[path])
            path.unlink()

    def one(self, path: Path, form: str, done: list[str], data: bytes, passes: bool, warned: bool) -> None:
        takes = loaders.takes(form, data)
        if self.args.tools:
            takes |= tools(form, path)
        # No loader reads JSON by exact names: that names are in another letter case is a warning (json/wrong-case).
        if passes and warned:
            takes = {key: value for key, value in takes.items() if "script" not in key[1]}
        taken = {key: value for key, value in takes.items() if isinstance(value, Taken)}
        differ = []
        for half in {half for half, _ in taken}:
            group = {name: value for (of, name), value in taken.items() if of == half}
            if len(set(group.values())) > 1:
                differ.append(f"{half}: " + "; ".join(f"{name} {shown(value)}" for name, value in group.items()))
        self.counts["archives"] += 1
        self.counts["no error"] += passes
        self.counts["readers differ"] += bool(differ)
        self.counts["some refuse"] += 0 < len(taken) < len(takes)
        self.counts["some refuse, no error"] += passes and 0 < len(taken) < len(takes)
        if differ:
            self.by_kind.update(set(done))
        if passes and not differ:
            differ = self.ours(path, taken)
        if passes and differ:
            keep = Path(self.args.keep) / f"{self.args.seed}-{path.name}"
            keep.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, keep)
            self.problems.append(f"{keep.name} ({form}: {', '.join(done)}): " + " | ".join(differ))
            print("differs:", self.problems[-1], flush=True)


def short(ids) -> str:
    return "{" + ", ".join(sorted(one[7:15] for one in ids)) + "}"


def shown(taken: Taken) -> str:
    names = ", ".join(sorted(f"{name}={one[7:15]}" for name, one in taken.names))
    return short(one for one, _ in taken.images) + f" [{names}]"


def tools(form: str, path: Path) -> dict:
    """What skopeo itself takes: the config it reads, if there is one image and all of it can be copied."""
    out = {}
    for half, transport in (("items", "docker-archive"), ("layout", "oci-archive")):
        if half not in loaders.loaders(form):
            continue
        with tempfile.TemporaryDirectory() as folder:
            copy = ["skopeo", "copy", "--quiet", "--insecure-policy", f"{transport}:{path}", f"dir:{folder}/out"]
            run = subprocess.run(copy, capture_output=True, timeout=60, check=False)
            manifest = Path(folder) / "out/manifest.json"
            if run.returncode == 0 and manifest.exists():
                config = json.loads(manifest.read_bytes())["config"]["digest"]
                out[f"{half} skopeo", "skopeo itself"] = Taken(frozenset({(config, ())}), frozenset())
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("restow")
    parser.add_argument("--archives", type=int, default=600)
    parser.add_argument("--seconds", type=float, help="go on so long, whatever --archives says")
    parser.add_argument("--seed", type=int, help="the same seed makes the same archives")
    parser.add_argument("--number", type=int, help="write the archive of this number to --keep, and tell who takes what")
    parser.add_argument("--tools", action="store_true", help="ask skopeo, too")
    parser.add_argument("--keep", default="differing", help="where archives that differ are kept")
    args = parser.parse_args()
    args.restow = str(Path(args.restow).resolve())
    args.seed = int(time.time()) if args.seed is None else args.seed
    if args.number is not None:
        form, done, data = made(args.seed, args.number)
        Path(args.keep).mkdir(parents=True, exist_ok=True)
        path = Path(args.keep) / f"{args.seed}-{args.number}.tar"
        path.write_bytes(data)
        print(path, form, *done)
        for (half, name), value in loaders.takes(form, data).items():
            print(f"  {half} {name}: {shown(value) if isinstance(value, Taken) else 'refuses: ' + value}")
        return 0
    began, number = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        run = Run(args, Path(folder))
        while number < args.archives if args.seconds is None else time.monotonic() - began < args.seconds:
            run.batch(list(range(number, number + BATCH)))
            number += BATCH
            if number % 20_000 < BATCH:
                print(f"{time.monotonic() - began:.0f} s:", dict(run.counts), f"{len(run.problems)} problems", flush=True)
    took = time.monotonic() - began
    print(f"seed {args.seed}, {took:.0f} s: " + ", ".join(f"{value:,} {name}" for name, value in run.counts.items()))
    print("readers differ after:", ", ".join(f"{kind} {count:,}" for kind, count in run.by_kind.most_common()))
    print(f"{len(run.problems)} in which readers differ and restow finds no error")
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())

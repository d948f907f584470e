"""Scrubs a storage in parts that are tasks of Ray, on a laptop as on a cluster (needs ``ray``).

Each task calls the command beside this package, on the node where it runs; a task that dies is done again, and reads only
what it had not read, since that stands in the state of its part.

>>> import restow.ray
>>> report = restow.ray.scrub("registry-storage:/var/lib/registry", shards=16, states="/mnt/states")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import AnyPlace, _common, _levels, _place, _run
from .errors import RestowError
from .types import Report, load

__all__ = ["scrub"]

#: How long a part waits for the process that a lost task left behind, in seconds between looks.
_PAUSE = 1.0


def scrub(
    place: AnyPlace,
    *,
    shards: int,
    states: AnyPlace | None = None,
    max_age: str | None = None,
    retries: int = 3,
    cpus: float = 1,
    allow: Sequence[str] = (),
    warn: Sequence[str] = (),
    deny: Sequence[str] = (),
    profile: Sequence[str] = (),
    config: AnyPlace | None = None,
    limits: Mapping[str, int] | None = None,
) -> Report:
    """Proves a whole storage in so many parts, and returns the report of all of it, which is that of a single run.

    ``states`` is where the states of the parts are kept for the next run, seen by every node: a folder, or the URL of a
    bucket's prefix where the command knows those. Without it they are in a temporary folder of this machine, and go.
    ``retries`` is how often a part is done again that died or failed; ``cpus`` is what a task takes of a node.

    Raises `RestowError` if a part cannot be read, or the states cannot be joined.
    """
    if shards < 1:
        raise ValueError("a storage has one part at least")
    ray: Any = importlib.import_module("ray")
    if not ray.is_initialized():
        ray.init()
    if states is None and len([node for node in ray.nodes() if node["Alive"]]) > 1:
        raise ValueError("on several nodes say where the states of the parts are kept, which every node must see")
    options = [] if max_age is None else [f"--max-age={max_age}"]
    options += _common(limits, None)
    with tempfile.TemporaryDirectory(prefix="restow-") as folder:
        files = [f"{os.fspath(folder if states is None else states)}/part-{i}-of-{shards}.db" for i in range(shards)]
        if states is not None and "://" not in os.fspath(states):
            os.makedirs(states, exist_ok=True)
        # By value, so that workers need this package, and nothing of the program that calls it.
        task = ray.remote(num_cpus=cpus, max_retries=retries)(_part)
        tasks = [task.remote(_place(place), i, shards, file, options, retries) for i, file in enumerate(files)]
        try:
            for status, stderr in ray.get(tasks):
                if status != 0:
                    raise RestowError(_run.message_of(stderr), status=status, stderr=stderr)
        except BaseException:
            for other in tasks:
                ray.cancel(other, force=True)
            raise
        return _merged(files, _levels(allow, warn, deny, profile, config))


def _part(place: str, index: int, count: int, state: str, options: list[str], retries: int) -> tuple[int, str]:
    """Reads a part; status, and what was said."""
    arguments = ["scrub", "--quiet", "--progress=none", f"--shard={index}/{count}", f"--state={state}", *options, "--", place]
    while True:
        output = _run.run(arguments)
        if output.status == 0:
            return 0, output.stderr
        if "another scrub is at work" in output.stderr:
            # Its task is lost and it goes on: what it reads need not be read again.
            time.sleep(_PAUSE)
        elif retries > 0:
            retries -= 1
        else:
            return output.status, output.stderr


def _merged(files: list[str], levels: list[str]) -> Report:
    with tempfile.TemporaryDirectory(prefix="restow-") as folder:
        report = Path(folder, "report.json")
        output = _run.run(["scrub", "merge", "--progress=none", f"--report=json={report}", *levels, "--", *files])
        if output.status not in (0, 1) or not report.exists():
            raise _run.failure(output)
        return load(Report, json.loads(report.read_bytes()))

"""Parts as tasks of Ray, with a worker killed. Where Ray is not installed nothing is tried, and that is said."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import restow
from storage import storage
from restow.types import Report, load

pytest.importorskip("ray")
scrub = importlib.import_module("restow.ray").scrub


@pytest.fixture(scope="module")
def ray() -> Any:
    ray: Any = importlib.import_module("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def single(place: str) -> Report:
    done = subprocess.run([str(restow.binary()), "scrub", "--json", place], capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    return load(Report, json.loads(done.stdout))


def test_parts_of_ray_come_to_the_report_of_one_run(ray: Any, tmp_path: Path) -> None:
    place = storage(tmp_path / "storage", 12, 1000)
    report = scrub(place, shards=3)
    assert report == single(place)
    assert [finding.rule for finding in report.findings if finding.level == "error"] == ["blob/digest-mismatch"]
    with pytest.raises(restow.RestowError, match="nowhere"):
        scrub(f"registry-storage:{tmp_path}/nowhere", shards=2, retries=0)
    with pytest.raises(ValueError):
        scrub(place, shards=0)


def children(of: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(of)], capture_output=True, check=False, text=True)
    return [int(pid) for pid in found.stdout.split()]


def test_a_worker_that_is_killed_is_done_again(ray: Any, tmp_path: Path) -> None:
    place = storage(tmp_path / "storage", 150, 4 << 20)
    states = tmp_path / "states"
    killed: list[int] = []

    def kill() -> None:
        """Ends the first worker that has called the command, and the command with it."""
        until = time.monotonic() + 60
        while not killed and time.monotonic() < until:
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = process.read_bytes().split(b"\0")
                    if words[1:2] == [b"scrub"] and str(tmp_path).encode() in b"".join(words):
                        own = int(process.parent.name)
                        worker = int((process.parent / "stat").read_text().rsplit(")", 1)[1].split()[1])
                        # What was read so far is written every second, and a quick machine would be done by then.
                        for _ in range(8):
                            os.kill(own, signal.SIGSTOP)
                            time.sleep(0.2)
                            os.kill(own, signal.SIGCONT)
                            time.sleep(0.02)
                        # The command first: that it is still at work is what the test wants.
                        os.kill(own, signal.SIGKILL)
                        os.kill(worker, signal.SIGKILL)
                        killed.append(worker)
                        return
                except (OSError, IndexError):
                    continue
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    report = scrub(place, shards=2, states=states)
    killer.join()
    assert killed, "no worker was met"
    assert report == single(place)
    # Both parts have ended, and what a killed one had read was not read again: every blob is of the one run.
    for state in states.iterdir():
        status = json.loads(subprocess.check_output([str(restow.binary()), "scrub", "status", "--json", str(state)]))
        assert (status["run"]["number"], status["unread"]) == (1, 0), status

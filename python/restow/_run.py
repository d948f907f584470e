"""Finds the command, runs it, and ends it when that is wanted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .errors import BinaryNotFound, Cancelled, RestowError

#: How often ``cancel`` is looked at, in seconds.
_PAUSE = 0.05


class Cancel(Protocol):
    """What ``cancel`` must be: a `threading.Event`, or anything that can be asked in the same way."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True)
class Output:
    status: int
    stdout: bytes
    stderr: str


def binary() -> Path:
    """The command: what ``RESTOW_BINARY`` names, else the one that came with this package, else the one in ``PATH``."""
    named = os.environ.get("RESTOW_BINARY")
    if named:
        if os.access(named, os.X_OK):
            return Path(named)
        raise BinaryNotFound(f"RESTOW_BINARY is {named}, which cannot be run")
    name = "restow.exe" if os.name == "nt" else "restow"
    user = sysconfig.get_preferred_scheme("user")
    for folder in (
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", user),
        str(Path(sys.executable).parent),
    ):
        # What stands there under this name may be a script that runs this package again.
        candidate = Path(folder) / name
        if os.access(candidate, os.X_OK) and candidate.is_file() and candidate.read_bytes()[:2] != b"#!":
            return candidate
    found = shutil.which(name)
    if found:
        return Path(found)
    raise BinaryNotFound("there is no restow beside this package or in PATH")


def run(arguments: Sequence[str], *, cancel: Cancel | None = None, timeout: float | None = None) -> Output:
    """Runs the command to its end, or raises `Cancelled` once it has ended early."""
    command = [str(binary()), *arguments]
    deadline = None if timeout is None else time.monotonic() + timeout
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    why = None
    try:
        while True:
            try:
                stdout, stderr = process.communicate(timeout=_wait(cancel, deadline))
                break
            except subprocess.TimeoutExpired:
                if cancel is not None and cancel.is_set():
                    why = "cancelled"
                elif deadline is not None and time.monotonic() >= deadline:
                    why = f"cancelled after {timeout:g} s"
                if why is not None:
                    # The command removes what it has not finished, and ends by the signal.
                    process.terminate()
                    stdout, stderr = process.communicate()
                    break
    except BaseException:
        # Such as KeyboardInterrupt: nothing may go on behind the caller's back.
        process.terminate()
        process.wait()
        raise
    text = stderr.decode(errors="replace")
    ended_by_signal = process.returncode < 0 or process.returncode > 128
    if ended_by_signal:
        raise Cancelled(why or "ended by a signal", status=process.returncode, stderr=text)
    return Output(process.returncode, stdout, text)


def _wait(cancel: Cancel | None, deadline: float | None) -> float | None:
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    if cancel is None:
        return left
    return _PAUSE if left is None else min(left, _PAUSE)


def failure(output: Output) -> RestowError:
    """The error that a run of exit status 2 stands for."""
    return RestowError(message_of(output.stderr), status=output.status, stderr=output.stderr)


def message_of(stderr: str) -> str:
    """The first error that standard error tells, in one line, without its help."""
    found = re.search(r"^error: (.*?)(?=\n\s*(?:help|tip): |\n\n|\nerror|\Z)", stderr.strip(), re.DOTALL | re.MULTILINE)
    text = found[1] if found else stderr.strip() or "no reason was given"
    return re.sub(r"\s+", " ", text).strip()

"""Checks, inspects, compares and converts container image archives of any form.

The functions call the command `restow` beside this package. Places are typed as for the command: a path whose form is
found from its content, or a form and a path such as ``oci:layout:tag``.

>>> import restow
>>> report = restow.check("app.tar")                        # doctest: +SKIP
>>> [str(finding) for finding in report.findings]           # doctest: +SKIP
>>> restow.convert("app.tar", "oci:layout")                 # doctest: +SKIP
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from . import _run
from ._run import Cancel, binary
from .errors import BinaryNotFound, Cancelled, RestowError, Unsound
from .types import (
    Account,
    Archive,
    Affects,
    Change,
    Comparison,
    Conversion,
    Entry,
    Fate,
    Finding,
    Fix,
    Layer,
    Level,
    Place,
    Report,
    Source,
    Span,
    Summary,
    Tool,
    load,
)

__all__ = [
    "Account",
    "Archive",
    "BinaryNotFound",
    "Cancel",
    "Cancelled",
    "Affects",
    "Change",
    "Comparison",
    "Conversion",
    "Entry",
    "Fate",
    "Finding",
    "Fix",
    "Layer",
    "Level",
    "Place",
    "Report",
    "RestowError",
    "Source",
    "Span",
    "Summary",
    "Tool",
    "Unsound",
    "binary",
    "check",
    "compare",
    "convert",
    "explain",
    "inspect",
    "raw",
    "version",
]

#: A place: a path, or what the command takes as SOURCE or DESTINATION.
AnyPlace = str | os.PathLike[str]


def check(
    *places: AnyPlace,
    allow: Sequence[str] = (),
    warn: Sequence[str] = (),
    deny: Sequence[str] = (),
    profile: Sequence[str] = (),
    config: AnyPlace | None = None,
    kind: str | None = None,
    limits: Mapping[str, int] | None = None,
    jobs: int | None = None,
    cancel: Cancel | None = None,
    timeout: float | None = None,
) -> Report:
    """Judges one or several places. An image that is wrong is no exception: see `Report.sound`.

    ``allow``, ``warn`` and ``deny`` take rules, families of rules, or ``all``, and are applied in this order; ``kind``
    is what ``--as`` takes; ``timeout`` is in seconds.

    Raises `RestowError` if a place cannot be judged; its ``report`` tells of the others.
    """
    if not places:
        raise ValueError("no place was given")
    arguments = ["check", "--report", "json", "--progress", "none"]
    arguments += _levels(allow, warn, deny, profile, config)
    arguments += [] if kind is None else [f"--as={kind}"]
    arguments += _common(limits, jobs)
    output = _run.run([*arguments, "--", *map(_place, places)], cancel=cancel, timeout=timeout)
    report = load(Report, json.loads(output.stdout)) if output.stdout else None
    if report is None or output.status not in (0, 1):
        error = _run.failure(output)
        error.report = report
        raise error
    return report


def inspect(
    place: AnyPlace,
    *,
    image: Sequence[str] = (),
    limits: Mapping[str, int] | None = None,
    jobs: int | None = None,
    cancel: Cancel | None = None,
    timeout: float | None = None,
) -> Archive:
    """What is in a place; layers are not read. ``image`` keeps only these, named as for ``--image``."""
    arguments = ["inspect", "--json", "--progress", "none", *(f"--image={name}" for name in image)]
    output = _done([*arguments, *_common(limits, jobs), "--", _place(place)], cancel, timeout)
    return load(Archive, json.loads(output.stdout))


def raw(
    place: AnyPlace,
    which: str,
    *,
    image: Sequence[str] = (),
    cancel: Cancel | None = None,
    timeout: float | None = None,
) -> bytes:
    """The exact bytes of a document: ``index``, ``manifest``, ``config``, or a digest."""
    arguments = ["inspect", f"--raw={which}", "--progress", "none", *(f"--image={name}" for name in image)]
    return _done([*arguments, "--", _place(place)], cancel, timeout).stdout


def compare(
    a: AnyPlace,
    b: AnyPlace,
    *,
    ignore: Sequence[Literal["names", "digests", "layers", "platforms", "annotations"]] = (),
    verify: Literal["all", "digests"] | None = None,
    cancel: Cancel | None = None,
    timeout: float | None = None,
) -> Comparison:
    """Whether two places hold the same images."""
    # Quiet: what is the same on both sides is left out.
    arguments = ["compare", "-q", "--progress", "none", *(f"--ignore={what}" for what in ignore)]
    arguments += [] if verify is None else [f"--verify={verify}"]
    output = _done([*arguments, "--", _place(a), _place(b)], cancel, timeout, (0, 1))
    lines = output.stdout.decode(errors="replace").splitlines()
    # The last line is the verdict; what was not looked at is no difference.
    told = (line.strip() for line in lines[:-1] if not line.startswith("help: "))
    differences = tuple(line for line in told if line) if output.status == 1 else ()
    return Comparison(_place(a), _place(b), differences)


def convert(
    source: AnyPlace,
    destination: AnyPlace,
    *,
    image: Sequence[str] = (),
    platform: Sequence[str] = (),
    sparse: bool = False,
    tag: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    compress: str | None = None,
    manifest_format: Literal["keep", "oci", "docker"] | None = None,
    docker_format: Literal["universal", "legacy"] | None = None,
    docker_platform: str | None = None,
    preserve_digests: bool = False,
    drop: Sequence[Literal["artifacts", "attestations", "annotations", "nested"]] = (),
    check: bool = False,
    verify: Literal["all", "digests"] | None = None,
    fix: Literal["safe", "all"] | None = None,
    force: bool = False,
    fsync: bool = False,
    allow: Sequence[str] = (),
    warn: Sequence[str] = (),
    deny: Sequence[str] = (),
    profile: Sequence[str] = (),
    config: AnyPlace | None = None,
    limits: Mapping[str, int] | None = None,
    jobs: int | None = None,
    cancel: Cancel | None = None,
    timeout: float | None = None,
) -> Conversion:
    """Rewrites a place in another form; every argument is the option of that name.

    The destination appears whole or not at all. Raises `Unsound` if the source is wrong, `RestowError` if the
    conversion is refused or cannot be done, `Cancelled` if it was ended.
    """
    with tempfile.TemporaryDirectory(prefix="restow-") as folder:
        account, report = Path(folder, "account.json"), Path(folder, "report.json")
        arguments = ["convert", "--progress", "none", f"--account={account}", f"--report=json={report}"]
        for name, values in (("image", image), ("platform", platform), ("tag", tag), ("drop", drop)):
            arguments += [f"--{name}={value}" for value in values]
        arguments += [f"--rename={old}={new}" for old, new in (rename or {}).items()]
        for name, value in (
            ("compress", compress),
            ("manifest-format", manifest_format),
            ("docker-format", docker_format),
            ("docker-platform", docker_platform),
            ("verify", verify),
            ("fix", fix),
        ):
            arguments += [] if value is None else [f"--{name}={value}"]
        for name, wanted in (
            ("sparse", sparse),
            ("preserve-digests", preserve_digests),
            ("check", check),
            ("force", force),
            ("fsync", fsync),
        ):
            arguments += [f"--{name}"] if wanted else []
        arguments += [*_levels(allow, warn, deny, profile, config), *_common(limits, jobs)]
        arguments += ["--", _place(source), _place(destination)]
        output = _run.run(arguments, cancel=cancel, timeout=timeout)
        found = load(Report, json.loads(report.read_bytes())) if report.exists() else None
        if output.status == 1:
            message = next((f.message for f in found.findings if f.level == "error"), None) if found else None
            raise Unsound(message or _run.message_of(output.stderr), status=1, stderr=output.stderr, report=found)
        if output.status != 0 or found is None:
            error = _run.failure(output)
            error.report = found
            raise error
        return Conversion(load(Account, json.loads(account.read_bytes())), found)


def explain(rule: str) -> str:
    """The page of a rule, or the list of a family of rules. Raises `RestowError` if there is none."""
    return _done(["explain", "--color=never", "--", rule], None, None).stdout.decode()


def version() -> str:
    """The version of the command, such as ``0.2.0``."""
    return _done(["--version"], None, None).stdout.decode().split()[1]


def _done(
    arguments: Sequence[str], cancel: Cancel | None, timeout: float | None, good: Sequence[int] = (0,)
) -> _run.Output:
    output = _run.run(arguments, cancel=cancel, timeout=timeout)
    if output.status not in good:
        raise _run.failure(output)
    return output


def _place(place: AnyPlace) -> str:
    text = os.fspath(place)
    if text == "-":
        raise ValueError("standard streams belong to the calling program: write a file, or run the command")
    # The path of an object is a path, and is not taken for a form: `oci:x` as a Path is the file of that name.
    return text if isinstance(place, str) or os.path.isabs(text) else os.path.join(".", text)


def _levels(
    allow: Sequence[str],
    warn: Sequence[str],
    deny: Sequence[str],
    profile: Sequence[str],
    config: AnyPlace | None,
) -> list[str]:
    arguments = [f"--profile={name}" for name in profile]
    arguments += [] if config is None else [f"--config={os.fspath(config)}"]
    for option, rules in (("allow", allow), ("warn", warn), ("deny", deny)):
        if isinstance(rules, str):
            raise TypeError(f"{option} is a list of rules, not a text")
        arguments += [f"--{option}={rule}" for rule in rules]
    return arguments


def _common(limits: Mapping[str, int] | None, jobs: int | None) -> list[str]:
    arguments = [f"--limit={name}={value}" for name, value in (limits or {}).items()]
    return arguments if jobs is None else [*arguments, f"--jobs={jobs}"]

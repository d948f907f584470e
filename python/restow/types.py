"""What restow says, as frozen dataclasses.

Each is made of the JSON that the command prints: ``report-v1`` (docs/reports.md), ``inspect --json`` (docs/inspect.md)
and the account of a conversion (docs/account.md). Members that a later release adds are ignored; a value that the JSON
leaves out is ``None``, or empty where it is a list.
"""

from __future__ import annotations

import dataclasses
import html
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Span:
    """Bytes of a document, from ``start`` up to but without ``end``."""

    start: int
    end: int


@dataclass(frozen=True)
class Place:
    """Where something is: a member of the archive, and a place in it."""

    #: Name of the member; ``None`` is the archive as a whole.
    member: str | None
    #: JSON pointer into the member.
    pointer: str | None = None
    #: Bytes from the start of the member, or of the decompressed tar if there is an entry.
    offset: int | None = None
    span: Span | None = None
    #: From 1.
    line: int | None = None
    column: int | None = None
    #: Path of an entry of a layer, as the layer writes it.
    entry: str | None = None
    #: What is said of this place.
    text: str | None = None

    def __str__(self) -> str:
        parts = [self.member or "archive"]
        if self.entry:
            parts.append(f"entry {self.entry}")
        if self.pointer:
            parts.append(self.pointer)
        elif self.offset is not None:
            parts.append(f"byte {self.offset}")
        return " ".join(parts)


@dataclass(frozen=True)
class Change:
    """One change of a fix; docs/reports.md says what each action means."""

    member: str
    action: str
    pointer: str | None = None
    value: Any = None
    span: Span | None = None
    text: str | None = None


@dataclass(frozen=True)
class Fix:
    """Changes that belong together and mend a finding."""

    changes: tuple[Change, ...]
    #: What must be true for the fix to be right; ``None`` if it follows from the archive itself.
    assuming: str | None = None
    #: Who may make it: ``safe``, ``maybe`` or ``display only``; ``None`` in reports of older releases.
    applicability: str | None = None


@dataclass(frozen=True)
class Affects:
    """The images that a fault hits."""

    #: The first sixteen.
    names: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth telling."""

    rule: str
    level: Level
    message: str
    primary: Place
    help: str | None = None
    related: tuple[Place, ...] = ()
    fix: Fix | None = None
    #: The words of the command that does what the help says; empty if there is none.
    command: tuple[str, ...] = ()
    #: What stays the same as long as it is the same fault in the same place: for exceptions in ``restow.toml``.
    fingerprint: str = ""
    #: How many more places are at fault in the same way that no finding names.
    omitted: int = 0
    #: The images and tags that reach what is wrong; ``None`` if it is about the archive as a whole.
    affects: Affects | None = None

    def __str__(self) -> str:
        return f"{self.level}[{self.rule}]: {self.message} ({self.primary})"


@dataclass(frozen=True)
class Summary:
    """How many findings there are of each level."""

    errors: int
    warnings: int
    notes: int
    omitted: int = 0


@dataclass(frozen=True)
class Lowered:
    """The files that levels and known findings were read from, and what they lowered."""

    #: ``restow.toml``, or what stood in its place.
    config: str | None
    #: The file of ``baseline``.
    baseline: str | None
    #: Exceptions whose last day has passed: they lower nothing.
    ended: tuple[str, ...]
    #: Each as in the JSON: the members of a finding, and ``from``, ``by``, ``at``, ``reason``, ``expires``.
    findings: tuple[Any, ...]


@dataclass(frozen=True)
class Amount:
    """So many blobs, and their bytes."""

    blobs: int
    bytes: int


@dataclass(frozen=True)
class Proved:
    """By what the blobs of a storage were proved, where the store's checksums were taken."""

    #: Blobs that were read.
    reading: Amount
    #: Blobs whose digests the store computed.
    store: Amount
    #: What that leaves unproved, in words.
    unproved: str


@dataclass(frozen=True)
class Source:
    """What was found in one place."""

    source: str
    #: Such as ``oci`` or ``docker-archive``; ``None`` if the place could not be judged.
    form: str | None
    #: Whether no finding is an error; ``None`` if the place could not be judged.
    sound: bool | None
    summary: Summary
    findings: tuple[Finding, ...] = ()
    #: Why the place could not be judged.
    failure: str | None = None
    #: What files lowered; ``None`` if there were none.
    lowered: Lowered | None = None
    #: Commands to run next, the likeliest first, each word by word.
    suggest: tuple[tuple[str, ...], ...] = ()
    #: By what blobs were proved; ``None`` if every blob was read.
    proved: Proved | None = None


@dataclass(frozen=True)
class Tool:
    """What wrote the report."""

    name: str
    version: str


@dataclass(frozen=True)
class Report:
    """What `restow check` says of one or several places."""

    tool: Tool
    sources: tuple[Source, ...]
    version: int = 1

    @property
    def sound(self) -> bool:
        """Whether every place was judged, and none has a finding that is an error."""
        return all(source.sound is True for source in self.sources)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all places, in order."""
        return tuple(finding for source in self.sources for finding in source.findings)

    def _repr_html_(self) -> str:
        """A table for notebooks. Text of the archive is escaped."""
        rows = []
        for source in self.sources:
            verdict = {True: "sound", False: "not sound", None: source.failure or "not judged"}[source.sound]
            rows.append(f'<tr><th colspan="4">{html.escape(source.source)}: {html.escape(verdict)}</th></tr>')
            for finding in source.findings:
                cells = (finding.level, finding.rule, finding.message, str(finding.primary))
                rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        return f"<table>{''.join(rows)}</table>"


@dataclass(frozen=True)
class Layer:
    """A layer of an image, or a blob of an attestation or artifact."""

    digest: str | None = None
    diff_id: str | None = None
    #: Bytes as stored.
    size: int | None = None
    media_type: str | None = None
    member: str | None = None
    created_by: str | None = None
    predicate_type: str | None = None
    shared: bool = False
    missing: bool = False


@dataclass(frozen=True)
class Entry:
    """What a name of the archive, or an item of an index, points at."""

    #: ``image``, ``index``, ``attestation``, ``artifact``, ``missing``, ``unknown``, or one of a later release.
    kind: str
    names: tuple[str, ...] = ()
    digest: str | None = None
    media_type: str | None = None
    #: Of an image: the digest of its config.
    id: str | None = None
    platform: str | None = None
    created: str | None = None
    artifact_type: str | None = None
    subject: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()
    #: Of an index: its children.
    manifests: tuple[Entry, ...] = ()

    def walk(self) -> Iterator[Entry]:
        """This entry and all below it, parents first."""
        yield self
        for child in self.manifests:
            yield from child.walk()


@dataclass(frozen=True)
class Archive:
    """What `restow inspect` says of a place."""

    source: str
    form: str
    images: tuple[Entry, ...] = ()
    #: ``gzip``, ``zstd``, ``xz`` or ``bzip2``, if the whole archive is compressed.
    compression: str | None = None
    version: int = 1

    def walk(self) -> Iterator[Entry]:
        """Every entry, those inside indexes too."""
        for image in self.images:
            yield from image.walk()


@dataclass(frozen=True)
class Fate:
    """What became of one digest or name."""

    kind: str
    #: ``kept``, ``rewritten``, ``synthesised``, ``dropped``, ``absent``, ``moved``, ``fixed``, or one of a later release.
    action: str
    what: str
    before: str | None = None
    after: str | None = None
    why: str | None = None


@dataclass(frozen=True)
class Account:
    """What became of every digest of a conversion."""

    source: str
    destination: str
    entries: tuple[Fate, ...] = ()
    version: int = 1


@dataclass(frozen=True)
class Conversion:
    """A conversion that was done."""

    account: Account
    #: What was found on the way.
    report: Report


@dataclass(frozen=True)
class Comparison:
    """Whether two places hold the same images. True if they do."""

    a: str
    b: str
    #: One line for each difference, for people.
    differences: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.differences


T = TypeVar("T")


def load(cls: type[T], data: Any) -> T:
    """Makes a dataclass of parsed JSON.

    Raises ``ValueError`` if a member is missing or has another type: the command is then of another version.
    """
    return typing.cast(T, _value(cls, data, cls.__name__))


#: Types of the fields of each dataclass, which take long to resolve.
_HINTS: dict[Any, dict[str, Any]] = {}


def _hints(cls: Any) -> dict[str, Any]:
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls)
    return _HINTS[cls]


def _value(hint: Any, data: Any, where: str) -> Any:
    if hint is Any:
        return data
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if data is None:
            return None
        (hint,) = (argument for argument in arguments if argument is not type(None))
        return _value(hint, data, where)
    if origin is Literal:
        return _checked(isinstance(data, str), data, where)
    if origin is tuple:
        _checked(isinstance(data, list), data, where)
        return tuple(_value(arguments[0], item, where) for item in data)
    if origin is Mapping:
        return dict(_checked(isinstance(data, dict), data, where))
    if dataclasses.is_dataclass(hint):
        _checked(isinstance(data, dict), data, where)
        made, hints = {}, _hints(hint)
        for part in dataclasses.fields(hint):
            name = re.sub(r"_(.)", lambda found: found[1].upper(), part.name)
            key = name if name in data else part.name
            if key in data:
                made[part.name] = _value(hints[part.name], data[key], f"{where}.{key}")
        try:
            return typing.cast(Any, hint)(**made)
        except TypeError as error:
            raise ValueError(f"{where}: {error}") from None
    # bool is an int to Python, and not to JSON.
    fits = isinstance(data, hint) and (hint is bool or not isinstance(data, bool))
    return _checked(fits, data, where)


def _checked(fits: bool, data: Any, where: str) -> Any:
    if not fits:
        raise ValueError(f"{where}: unexpected {type(data).__name__}")
    return data

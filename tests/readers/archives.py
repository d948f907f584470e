"""Archives of two small images, A that is meant and B that hides, as lists of entries that can be altered before they are
written: every field of a header may say what it likes, and no library stands between."""

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field, replace

BLOCK = 512


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Entry:
    """One entry of the outer tar, as it will stand there."""

    name: bytes
    data: bytes = b""
    type: bytes = b"0"
    link: bytes = b""
    prefix: bytes = b""
    magic: bytes = b"ustar\x0000"
    size: bytes | None = None  # the field, where it does not say how long the data is
    checksum: bytes | None = None
    patches: list[tuple[int, bytes]] = field(default_factory=list)  # after the rest and before the checksum
    late: list[tuple[int, bytes]] = field(default_factory=list)  # after the checksum
    pad: bytes = b"\0"
    raw: bytes | None = None  # these bytes in place of all of it

    def header(self) -> bytearray:
        block = bytearray(BLOCK)

        def put(at: int, length: int, value: bytes) -> None:
            block[at : at + length] = value[:length].ljust(length, b"\0")

        put(0, 100, self.name)
        put(100, 8, b"0000644\0")
        put(108, 8, b"0000000\0")
        put(116, 8, b"0000000\0")
        put(124, 12, b"%011o\0" % len(self.data) if self.size is None else self.size)
        put(136, 12, b"00000000000\0")
        put(156, 1, self.type)
        put(157, 100, self.link)
        put(257, 8, self.magic)
        put(345, 155, self.prefix)
        for at, value in self.patches:
            block[at : at + len(value)] = value
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block) if self.checksum is None else self.checksum
        for at, value in self.late:
            block[at : at + len(value)] = value
        return block[:BLOCK]

    def written(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return bytes(self.header()) + self.data + (self.pad * (-len(self.data) % BLOCK))[: -len(self.data) % BLOCK]


def record(key: bytes, value: bytes) -> bytes:
    """A record of PAX."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def pax(*records: tuple[bytes, bytes], scope: bytes = b"x") -> Entry:
    return Entry(b"PaxHeaders/x", b"".join(record(key, value) for key, value in records), scope)


def long_name(name: bytes, kind: bytes = b"L") -> Entry:
    return Entry(b"././@LongLink", name, kind, magic=b"ustar  \0")


def tar(entries: list[Entry], end: bytes = b"\0" * 1024) -> bytes:
    return b"".join(entry.written() for entry in entries) + end


def layer(name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(name)
        archive.addfile(info, io.BytesIO(name.encode()))
    return out.getvalue()


class Picture:
    """An image: its layers, its config, and what every form says of it."""

    def __init__(self, name: str, layers: int) -> None:
        self.name = name
        self.layers = [layer(f"{name}-{i}") for i in range(layers)]
        self.tag = f"readers.example/app:{name}"
        self.config = self.json(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": [f"/{name}"], "User": "nobody"},
                "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(data) for data in self.layers]},
            }
        )
        self.manifest = self.json(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": self.descriptor("application/vnd.oci.image.config.v1+json", self.config),
                "layers": [self.descriptor("application/vnd.oci.image.layer.v1.tar", data) for data in self.layers],
            }
        )

    @staticmethod
    def json(value: object) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()

    @staticmethod
    def descriptor(kind: str, data: bytes) -> dict:
        return {"mediaType": kind, "digest": "sha256:" + sha256(data), "size": len(data)}

    def blobs(self) -> list[Entry]:
        return [Entry(b"blobs/sha256/" + sha256(data).encode(), data) for data in self.layers + [self.config, self.manifest]]

    def index(self) -> bytes:
        root = self.descriptor("application/vnd.oci.image.manifest.v1+json", self.manifest)
        names = {"io.containerd.image.name": self.tag, "org.opencontainers.image.ref.name": self.name}
        kind = "application/vnd.oci.image.index.v1+json"
        return self.json({"schemaVersion": 2, "mediaType": kind, "manifests": [root | {"annotations": names}]})

    def item(self, config: str, layers: list[str]) -> bytes:
        return self.json([{"Config": config, "RepoTags": [self.tag], "Layers": layers}])

    def item_of_blobs(self) -> bytes:
        return self.item("blobs/sha256/" + sha256(self.config), ["blobs/sha256/" + sha256(data) for data in self.layers])

    def classic(self) -> tuple[list[Entry], bytes]:
        """What docker before 25 writes: folders of layers; and its manifest.json."""
        entries, names = [], []
        for i, data in enumerate(self.layers):
            folder = sha256(f"{self.name} {i}".encode())
            entries += [Entry(folder.encode() + b"/", type=b"5"), Entry(folder.encode() + b"/layer.tar", data)]
            names.append(f"{folder}/layer.tar")
        config = sha256(self.config) + ".json"
        return entries + [Entry(config.encode(), self.config)], self.item(config, names)


@dataclass
class Sound:
    """An archive before anything is altered. Of each document there is the one that is meant and the one that hides."""

    form: str
    entries: list[Entry]
    other: dict[bytes, bytes]  # documents by name, as they would be of B

    def copy(self) -> "Sound":
        entries = [replace(e, patches=list(e.patches), late=list(e.late)) for e in self.entries]
        return Sound(self.form, entries, dict(self.other))


LAYOUT = Entry(b"oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


def sound() -> list[Sound]:
    """Every form that is one file, each with the parts of both images."""
    a, b = Picture("a", 2), Picture("b", 1)
    files_a, item_a = a.classic()
    files_b, item_b = b.classic()
    blobs = {entry.name: entry for entry in a.blobs() + b.blobs()}
    folders = [Entry(b"blobs/", type=b"5"), Entry(b"blobs/sha256/", type=b"5"), *blobs.values()]
    index, items = Entry(b"index.json", a.index()), Entry(b"manifest.json", a.item_of_blobs())
    return [
        Sound("classic", files_a + files_b + [Entry(b"manifest.json", item_a)], {b"manifest.json": item_b}),
        Sound("oci", [*folders, index, LAYOUT], {b"index.json": b.index()}),
        Sound(
            "both",
            [*folders, index, items, LAYOUT],
            {b"index.json": b.index(), b"manifest.json": b.item_of_blobs()},
        ),
    ]

"""What loaders take out of an archive: (image ID, diff IDs) and names, as their sources say (moby image/tarexport and
pkg/archive, containers/image docker/internal/tarfile and oci/archive, containerd images/archive), and as a script does.

All stand on Python's tarfile, and JSON is read as Go reads it but for the script. Nothing is written to a disk."""

import bz2
import gzip
import io
import json
import lzma
import posixpath
import tarfile
from dataclasses import dataclass

try:
    import zstandard
except ImportError:
    zstandard = None

HOPS = 16


class Refused(Exception):
    """The loader takes nothing."""


@dataclass(frozen=True)
class Taken:
    """What a loader takes: images as (ID, diff IDs), and each name with the image that it comes to stand for."""

    images: frozenset
    names: frozenset


# --- bytes ---------------------------------------------------------------------------------------------------------


def unpacked(data: bytes) -> bytes:
    """By the magic number, as every loader does."""
    try:
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data)
        if data[:4] == b"\x28\xb5\x2f\xfd" or data[1:4] == b"\x2a\x4d\x18" and 0x50 <= data[0] <= 0x5F:
            if zstandard is None:
                raise Refused("no zstd here")
            with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
                return reader.read()
        if data[:3] == b"BZh":
            return bz2.decompress(data)
        if data[:6] == b"\xfd7zXZ\0":
            return lzma.decompress(data)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"decompress: {error}") from None
    return data


def members(data: bytes):
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errors="surrogateescape") as archive:
            for info in archive:
                # What Python calls a file of an unknown type, Go passes on with its type.
                known = info.type in tarfile.SUPPORTED_TYPES
                holds = archive.extractfile(info) if info.isreg() else None
                yield info, (holds.read() if holds else b""), known
    except (tarfile.TarError, ValueError, OverflowError, EOFError, OSError, IndexError, KeyError) as error:
        raise Refused(f"tar: {error}") from None


def digest(data: bytes) -> str:
    from archives import sha256

    return "sha256:" + sha256(data)


# --- JSON as Go reads it -------------------------------------------------------------------------------------------


class Pairs(list):
    """An object with its members in order, none forgotten."""


def no(name: str):
    raise ValueError(name)


DECODER = json.JSONDecoder(object_pairs_hook=Pairs, parse_constant=no, strict=True)


def fold(name: str) -> str:
    return "".join({"\u017f": "s", "\u212a": "k"}.get(c, c.lower() if c.isascii() else c) for c in name)


def decode(kind, value, old=None):
    """A value into a Go type: a dict of fields is a struct, a list of one a slice, MAP a map of strings."""
    if value is None:
        return old if old is not None else zero(kind)
    if isinstance(kind, dict):
        if not isinstance(value, Pairs):
            raise Refused("json: no object")
        out = dict(old) if old is not None else zero(kind)
        for name, inner in value:
            known = name if name in kind else next((field for field in kind if fold(field) == fold(name)), None)
            if known is not None:
                out[known] = decode(kind[known], inner, out.get(known))
        return out
    if isinstance(kind, list):
        if not isinstance(value, list) or isinstance(value, Pairs):
            raise Refused("json: no array")
        return [decode(kind[0], inner) for inner in value]
    if kind == "map":
        if not isinstance(value, Pairs):
            raise Refused("json: no object")
        return (old or {}) | {name: decode("str", inner) for name, inner in value}
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "str" and isinstance(value, str):
        return value
    raise Refused("json: another type")


def zero(kind):
    if isinstance(kind, dict):
        return {name: zero(inner) for name, inner in kind.items()}
    return {"str": "", "int": 0, "map": {}}.get(kind, []) if isinstance(kind, str) else []


def go(kind, data: bytes, stream: bool = False):
    """`json.Unmarshal`; with `stream` `Decoder.Decode`, which leaves what follows the first value."""
    text = data.decode("utf-8", "replace")
    try:
        start = len(text) - len(text.lstrip(" \t\r\n"))
        value, end = DECODER.raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        raise Refused(f"json: {error}") from None
    if not stream and text[end:].strip(" \t\r\n"):
        raise Refused("json: more follows")
    return decode(kind, value)


def script(kind, data: bytes):
    """By exact names, the last of several, as jq and most languages read."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"json: {error}") from None

    def pick(kind, value):
        if value is None:
            return zero(kind)
        if isinstance(kind, dict) and isinstance(value, dict):
            return {name: pick(inner, value.get(name)) for name, inner in kind.items()}
        if isinstance(kind, list) and isinstance(value, list):
            return [pick(kind[0], inner) for inner in value]
        if kind == "map" and isinstance(value, dict):
            return value
        if kind == "str" and isinstance(value, str) or kind == "int" and type(value) is int:
            return value
        raise Refused("json: another type")

    return pick(kind, value)


ITEMS = [{"Config": "str", "RepoTags": ["str"], "Layers": ["str"]}]
CONFIG = {"rootfs": {"type": "str", "diff_ids": ["str"]}}
DESCRIPTOR = {"mediaType": "str", "digest": "str", "size": "int", "annotations": "map"}
INDEX = {"schemaVersion": "int", "mediaType": "str", "manifests": [DESCRIPTOR]}
MANIFEST = {"schemaVersion": "int", "mediaType": "str", "config": DESCRIPTOR, "layers": [DESCRIPTOR]}
LAYOUT = {"imageLayoutVersion": "str"}


# --- members -------------------------------------------------------------------------------------------------------


def clean(name: str) -> str:
    """As Go's `path.Clean`: Python keeps two slashes at the beginning."""
    path = posixpath.normpath(name or ".")
    return path[1:] if path.startswith("//") else path


class Extracted:
    """A file system in memory, written as `archive.Untar` of docker and containers/storage writes one."""

    def __init__(self, data: bytes) -> None:
        self.root: dict = {}
        for info, content, known in members(data):
            self.add(info, content, known)

    def walk(self, path: str, last: bool, make: bool = False, hops: int = 0):
        """The folder and name where `path` leads, links in it followed inside of the root, the last one if asked for."""
        here, trail = self.root, []
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for i, part in enumerate(parts):
            end = i + 1 == len(parts)
            if part == "..":
                here = trail.pop() if trail else self.root
                if end:
                    return here, None
                continue
            node = here.get(part)
            if isinstance(node, str) and (last or not end):
                if hops >= HOPS:
                    raise Refused("too many links")
                # Where the link stands, by the way that was really gone.
                base = "" if node.startswith("/") else self.names(trail, here)
                return self.walk("/".join([base, node, *parts[i + 1 :]]), last, make, hops + 1)
            if end:
                return here, part
            if node is None and make:
                node = here[part] = {}
            if not isinstance(node, dict):
                raise Refused(f"{path}: no folder")
            trail.append(here)
            here = node
        return here, None

    def names(self, trail: list, here: dict) -> str:
        names = []
        for inner, outer in zip([*trail[1:], here], trail):
            names.append(next(name for name, node in outer.items() if node is inner))
        return "/".join(names)

    def add(self, info: tarfile.TarInfo, content: bytes, known: bool) -> None:
        if not known:
            raise Refused(f"unhandled type {info.type!r}")
        name = clean(info.name)
        name = name.lstrip("/") or "."
        if name == ".." or name.startswith("../"):
            raise Refused("breaks out")
        here, part = self.walk(name, last=False, make=True)
        if part is None:
            return
        was = here.get(part)
        if isinstance(was, dict) and info.isdir():
            return
        if info.islnk():
            target = clean("/" + info.linkname)
            there, other = self.walk(target, last=False)
            node = there.get(other) if other else None
            if node is None or isinstance(node, dict):
                raise Refused("a hard link to nothing")
            here[part] = node
        elif info.issym():
            out = posixpath.normpath(posixpath.join(posixpath.dirname(name), info.linkname.lstrip("/")))
            if out == ".." or out.startswith("../"):
                raise Refused("breaks out")
            here[part] = info.linkname
        elif info.isdir():
            here[part] = {}
        elif info.isreg():
            here[part] = [content]
        else:
            here[part] = None  # a device or pipe: nothing can be read of it

    def read(self, path: str) -> bytes:
        here, part = self.walk(path, last=True)
        node = here.get(part) if part else None
        if not isinstance(node, list):
            raise Refused(f"{path}: no file")
        return node[0]


class Scanned:
    """The first member of a name is taken, and one link followed, as containers/image does."""

    def __init__(self, data: bytes) -> None:
        self.list = [(info, content) for info, content, _ in members(data)]

    def find(self, name: str):
        wanted = clean(name)
        return next(((i, c) for i, c in self.list if clean(i.name) == wanted), None)

    def read(self, path: str) -> bytes:
        found = self.find(path)
        if found and found[0].issym():
            path = posixpath.join(posixpath.dirname(path), found[0].linkname)
            found = self.find(path)
        if not found or not found[0].isreg():
            raise Refused(f"{path}: no file")
        return found[1]


class Streamed:
    """Every file under its clean name, a later one in place of an earlier, as containerd and scripts do."""

    def __init__(self, data: bytes) -> None:
        self.files, self.links = {}, {}
        for info, content, known in members(data):
            name = clean(info.name)
            if info.issym():
                self.links[name] = posixpath.join(posixpath.dirname(name), info.linkname)
            elif info.isreg() and known:
                self.files[name] = content

    def read(self, path: str) -> bytes:
        name = clean(path)
        name = clean(self.links.get(name, name)) if name not in self.files else name
        if name not in self.files:
            raise Refused(f"{path}: no file")
        return self.files[name]


# --- images --------------------------------------------------------------------------------------------------------


def image(config: bytes, layers: list[bytes], read) -> tuple:
    wanted = read(CONFIG, config)["rootfs"]["diff_ids"]
    found = [digest(unpacked(data)) for data in layers]
    if wanted != found:
        raise Refused("diff IDs")
    return digest(config), tuple(found)


def by_manifest_json(files, read, stream: bool = False) -> Taken:
    items = read(ITEMS, files.read("manifest.json"), **({"stream": True} if stream else {}))
    images, names = set(), {}
    for item in items:
        made = image(files.read(item["Config"]), [files.read(name) for name in item["Layers"]], read)
        images.add(made)
        names |= {name: made[0] for name in item["RepoTags"]}
    return Taken(frozenset(images), frozenset(names.items()))


def by_index_json(files, read, layout: bool) -> Taken:
    if layout and not read(LAYOUT, files.read("oci-layout"))["imageLayoutVersion"]:
        raise Refused("no version")
    images, names = set(), {}

    def blob(descriptor: dict) -> bytes:
        algorithm, _, text = descriptor["digest"].partition(":")
        data = files.read(f"blobs/{algorithm}/{text}")
        if digest(data) != descriptor["digest"]:
            raise Refused("digest")
        return data

    for root in read(INDEX, files.read("index.json"))["manifests"]:
        manifest = read(MANIFEST, blob(root))
        made = image(blob(manifest["config"]), [blob(layer) for layer in manifest["layers"]], read)
        images.add(made)
        for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"):
            if key in root["annotations"]:
                names[root["annotations"][key]] = made[0]
    return Taken(frozenset(images), frozenset(names.items()))


def loaders(form: str) -> dict:
    """The loaders of a form by the half that they go by; halves may have names of their own."""
    items = {
        "docker": lambda data: by_manifest_json(Extracted(data), go, stream=True),
        "skopeo docker-archive": lambda data: by_manifest_json(Scanned(data), go),
        "containerd manifest.json": lambda data: by_manifest_json(Streamed(data), go),
        "script manifest.json": lambda data: by_manifest_json(Streamed(data), script),
    }
    layout = {
        "skopeo oci-archive": lambda data: by_index_json(Extracted(data), go, layout=False),
        "containerd index.json": lambda data: by_index_json(Streamed(data), go, layout=True),
        "script index.json": lambda data: by_index_json(Streamed(data), script, layout=False),
    }
    return {"classic": {"items": items}, "oci": {"layout": layout}, "both": {"items": items, "layout": layout}}[form]


def takes(form: str, data: bytes) -> dict:
    """What each loader takes, by half and name; a text where it refuses."""
    out = {}
    for half, group in loaders(form).items():
        for name, loader in group.items():
            try:
                out[half, name] = loader(unpacked(data))
            except Refused as error:
                out[half, name] = str(error)
    return out

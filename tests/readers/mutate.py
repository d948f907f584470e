"""Alterations of archives, chosen by a seed: headers, links, names, the keys of JSON, and the stream around all of it.

Most of them put what hides (image B, or a document that names it) where one reader finds it and another does not."""

import bz2
import gzip
import random
import struct
import zlib
from dataclasses import replace

from archives import BLOCK, Entry, Sound, long_name, pax, tar

MAGICS = [b"ustar\x0000", b"ustar  \0", b"\0" * 8, b"ustar\0\0\0", b"ustar\x0001", b"ustar 00", b"USTAR\x0000", b"ustar\0 \0"]
TYPES = [bytes([c]) for c in b"\x001234567ADKLMNSVXxg9 "]
PAX_KEYS = [
    b"path", b"linkpath", b"size", b"GNU.sparse.name", b"GNU.sparse.size", b"GNU.sparse.realsize", b"GNU.sparse.major",
    b"GNU.sparse.minor", b"GNU.sparse.map", b"GNU.sparse.numblocks", b"hdrcharset", b"SCHILY.filetype", b"comment", b"Path",
    b"SUN.devmajor", b"SCHILY.realsize",
]  # fmt: skip


def names(rng: random.Random, name: bytes) -> bytes:
    """Other ways to write a name, and names that only look like it."""
    folder, _, last = name.rpartition(b"/")
    at = folder + b"/" if folder else b""
    return rng.choice(
        [
            name, name, name, b"./" + name, b"/" + name, b"//" + name, name + b"/", name + b"/.", at + b"./" + last,
            at + b"x/../" + last, at + b"/" + last, b"x/../" + name, b"../" + name, b"./x/.././" + name, name + b"\0x",
            name + b" ", name.upper(), name.capitalize(), b"\0" + name, name + b"\n", name.replace(b"s", "\u017f".encode()),
            name.replace(b"/", b"\\"), name + b"/../" + last, b".//" + name, b"./" * 60 + name,
        ]
    )  # fmt: skip


def target(rng: random.Random, to: bytes) -> bytes:
    return rng.choice([to, to, b"./" + to, b"/" + to, b"../" + to, b"x/../" + to, b"here/" + to, b"here/../" + to, to + b"/", b"", b"."])


class Mutator:
    def __init__(self, rng: random.Random, sound: Sound) -> None:
        self.rng = rng
        self.it = sound.copy()
        self.end = b"\0" * 1024
        self.around: list = []

    # --- choices ---

    @property
    def entries(self) -> list[Entry]:
        return self.it.entries

    def document(self) -> bytes:
        """The name of a document that has another for image B."""
        return self.rng.choice(list(self.it.other))

    def at(self, name: bytes) -> int:
        return next((i for i, entry in enumerate(self.entries) if entry.name == name), 0)

    def any(self) -> int:
        """An entry; more often one that is read."""
        if self.rng.random() < 0.6:
            return self.at(self.document())
        return self.rng.randrange(len(self.entries))

    def put(self, entry: Entry, near: int | None = None) -> None:
        """Before or after an entry, or at an end."""
        places = [0, len(self.entries)] if near is None else [0, near, near, near + 1, near + 1, len(self.entries)]
        self.entries.insert(self.rng.choice(places), entry)

    # --- members and links ---

    def again(self) -> None:
        name = self.document()
        kind = self.rng.choice([b"0"] * 6 + [b"\0", b"7", b"5", b"S", b"A"])
        self.put(Entry(names(self.rng, name), self.it.other[name], kind, magic=self.rng.choice(MAGICS[:3])), self.at(name))

    def link(self) -> None:
        name = self.document()
        self.put(Entry(b"other", self.it.other[name]))
        kind = self.rng.choice([b"1", b"2", b"2"])
        entry = Entry(names(self.rng, name), type=kind, link=target(self.rng, b"other"))
        if self.rng.random() < 0.5:
            self.entries[self.at(name)] = replace(self.entries[self.at(name)], name=b"first")
        self.put(entry, self.at(name))

    def through(self) -> None:
        """A folder that is a link, and what stands below it."""
        name = self.document()
        to = self.rng.choice([b".", b"", b"./", b"..", b"/", b"here", b"sub", b"sub/.."])
        link = Entry(b"here", type=self.rng.choice([b"2", b"2", b"1"]), link=to)
        below = Entry(b"here/" + names(self.rng, name), self.it.other[name])
        extra = [Entry(b"sub/", type=b"5")] if self.rng.random() < 0.5 else []
        group = extra + ([link, below] if self.rng.random() < 0.8 else [below, link])
        at = self.rng.choice([0, self.at(name), self.at(name) + 1, len(self.entries)])
        self.entries[at:at] = group

    def chain(self) -> None:
        name = self.document()
        self.entries[self.at(name)] = replace(self.entries[self.at(name)], name=b"sub/real")
        links = [Entry(b"here", type=b"2", link=b"sub"), Entry(name, type=b"2", link=b"here/real")]
        other = [Entry(b"real", self.it.other[name]), Entry(b"x/real", self.it.other[name])]
        self.rng.shuffle(links)
        if self.rng.random() < 0.5:
            links[-1].link = self.rng.choice([b"here/../real", b"here/../sub/real", b"sub/../real", b"here/./real"])
        for entry in self.rng.sample(other, 1) + links:
            self.put(entry)

    def becomes(self) -> None:
        """A folder in which the image lies is replaced by a link to another, or the other way round."""
        entry = self.entries[self.any()]
        folder = entry.name.rstrip(b"/").rpartition(b"/")[0]
        if not folder:
            return self.through()
        others = [e.name.rstrip(b"/").rpartition(b"/")[0] for e in self.entries]
        self.put(Entry(folder, type=self.rng.choice([b"2", b"1", b"0"]), link=self.rng.choice(others) or b"."), self.at(entry.name))

    def crossed(self) -> None:
        """A part of A that is called as its other, or leads there."""
        i, j = self.rng.randrange(len(self.entries)), self.rng.randrange(len(self.entries))
        if self.rng.random() < 0.5:
            self.entries[i] = replace(self.entries[i], data=self.entries[j].data)
        else:
            self.entries[i] = replace(self.entries[i], type=self.rng.choice([b"1", b"2"]), link=target(self.rng, self.entries[j].name), data=b"")

    def order(self) -> None:
        self.rng.shuffle(self.entries)

    def gone(self) -> None:
        del self.entries[self.rng.randrange(len(self.entries))]

    # --- headers ---

    def renamed(self) -> None:
        i = self.any()
        self.entries[i] = replace(self.entries[i], name=names(self.rng, self.entries[i].name))

    def typed(self) -> None:
        i = self.any()
        self.entries[i] = replace(self.entries[i], type=self.rng.choice(TYPES), link=self.rng.choice([b"", b"other", self.entries[i].name]))

    def magic(self) -> None:
        i = self.any()
        prefix = self.rng.choice([b"", b"x", b"blobs", b".", b"/", b"x/..", b"\0x", b"sub"])
        self.entries[i] = replace(self.entries[i], magic=self.rng.choice(MAGICS), prefix=prefix)

    def prefixed(self) -> None:
        """A member that is another one to who reads the prefix."""
        name = self.document()
        prefix = self.rng.choice([b"x", b".", b"./", b"sub", b"x/..", b" ", b"0"])
        self.put(Entry(name, self.it.other[name], prefix=prefix, magic=self.rng.choice(MAGICS)), self.at(name))

    def sized(self) -> None:
        """A size that readers take differently, over data that hold a member."""
        name = self.document()
        inner = Entry(name, self.it.other[name]).written()
        n = len(inner)
        fields = [
            b"%011o\0" % n, b"0" * 11 + b"\0", b"\x80" + b"\0" * 3 + struct.pack(">Q", n), b"%o \0" % n, b"     %o\0" % n, b"%o\0%o\0" % (n, 1),
            b"\0" * 12, b" " * 12, b"-1\0", b"+%o\0" % n, b"0x%x\0" % n, b"%o\0" % (n // 2), b"\0%o\0" % n, b"%o9\0" % n, b"\xff" * 12,
            b"%012o" % n, b"%o%o" % (n, 0),
        ]  # fmt: skip
        entry = Entry(b"first", inner, size=self.rng.choice(fields), type=self.rng.choice([b"0", b"0", b"5", b"1", b"2", b"7", b"g", b"x"]))
        near = self.at(name)
        self.put(entry, near)
        if self.rng.random() < 0.5:
            size = self.rng.choice([b"0", b"%d" % n, b"%d" % (n // 2), b"", b" %d" % n, b"%d " % n, b"+%d" % n, b"0%d" % n, b"-1"])
            self.entries.insert(self.at(b"first"), pax((b"size", size), scope=self.rng.choice([b"x", b"x", b"g", b"X"])))

    def records(self) -> None:
        i = self.any()
        entry = self.entries[i]
        docs = list(self.it.other)
        values = [
            b"", entry.name, self.rng.choice(docs), b"x", b"./" + entry.name, b"0", b"%d" % len(entry.data), b"BINARY", b"other",
            entry.name + b"\0", entry.name + b"\n", b"x\n20 path=manifest.json", b"1", b"0,%d" % len(entry.data),
        ]  # fmt: skip
        pairs = [(self.rng.choice(PAX_KEYS), self.rng.choice(values)) for _ in range(self.rng.choice([1, 1, 2, 3]))]
        made = pax(*pairs, scope=self.rng.choice([b"x", b"x", b"x", b"g", b"X"]))
        if self.rng.random() < 0.15:
            made.data = made.data[:-1] + self.rng.choice([b"", b"\0", b"x", b"\n\n"])
        group = [made]
        if self.rng.random() < 0.25:
            group.append(long_name(names(self.rng, entry.name) + b"\0"))
        self.rng.shuffle(group)
        self.entries[i:i] = group

    def hidden_by_records(self) -> None:
        """A member that records rename: it is the document to one reader and something else to the other."""
        name = self.document()
        key = self.rng.choice(PAX_KEYS)
        real, said = self.rng.choice([(name, b"first"), (b"first", name)])
        records = [(key, said)] + ([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0")] if self.rng.random() < 0.3 else [])
        near = self.at(name)
        self.entries[near:near] = [
            pax(*records, scope=self.rng.choice([b"x", b"x", b"g"])),
            Entry(real, self.it.other[name], magic=self.rng.choice(MAGICS[:3])),
        ]

    def long(self) -> None:
        i = self.any()
        name = self.entries[i].name
        said = self.rng.choice([name, names(self.rng, name), self.document(), b"x" * 200])
        tail = self.rng.choice([b"\0", b"", b"\0\0x", b"\n\0"])
        group = [long_name(said + tail, self.rng.choice([b"L", b"L", b"K"]))]
        if self.rng.random() < 0.3:
            group.append(long_name(names(self.rng, name) + b"\0", b"L"))
        if self.rng.random() < 0.3:
            group.append(pax((b"path", names(self.rng, name))))
        self.rng.shuffle(group)
        self.entries[i:i] = group

    def summed(self) -> None:
        i = self.any()
        total = sum(self.entries[i].header()) - sum(self.entries[i].header()[148:156]) + 256
        wrong = self.rng.choice([b"%06o\0 " % total, b"%07o\0" % total, b"%o\0" % total, b"0000000\0", b" %06o\0" % total, b"%06o \0" % total, b"\0" * 8])
        self.entries[i] = replace(self.entries[i], checksum=wrong)

    def patched(self) -> None:
        i = self.any()
        entry = self.entries[i]
        for _ in range(self.rng.choice([1, 1, 2, 4])):
            patch = (self.rng.randrange(BLOCK), bytes([self.rng.choice([0, 32, 47, 46, 48, 49, 50, 255, self.rng.randrange(256)])]))
            (entry.patches if self.rng.random() < 0.85 else entry.late).append(patch)

    def zeros(self) -> None:
        """A zero block or two, with the other document behind them."""
        name = self.document()
        raw = b"\0" * (BLOCK * self.rng.choice([1, 2, 3]))
        at = self.rng.choice([0, self.at(name), self.at(name) + 1, len(self.entries)])
        self.entries.insert(at, Entry(b"zeros", raw=raw))
        if self.rng.random() < 0.6:
            self.entries.append(Entry(name, self.it.other[name]))

    def tail(self) -> None:
        name = self.document()
        more = Entry(name, self.it.other[name]).written()
        self.end = self.rng.choice([b"", b"\0" * 512, b"\0" * 1024 + more, b"\0" * 1024 + b"x" * 600, b"\0" * 512 + more + b"\0" * 1024, b"\0" * 9000, b"x"])

    def padded(self) -> None:
        i = self.any()
        self.entries[i] = replace(self.entries[i], pad=b"x")

    # --- documents ---

    def keys(self) -> None:
        """A key again, as Go reads it or not, with what image B has there; in a document that no digest covers."""
        name = self.document()
        i = self.at(name)
        text, other = self.entries[i].data.decode("utf-8", "surrogateescape"), self.it.other[name].decode()
        known = ["Config", "RepoTags", "Layers"] if name == b"manifest.json" else ["manifests", "digest", "annotations", "mediaType", "size", "schemaVersion"]
        key = self.rng.choice(known)
        value = piece(other, key)
        if f'"{key}":' not in text or value is None:
            return
        variants = [
            key, key.upper(), key.lower(), key.swapcase(), key.replace("s", "\u017f"), key.replace("k", "\u212a"), "".join(f"\\u{ord(c):04x}" for c in key),
            key + " ", key.replace("s", "\\u017f"), key.replace("i", "\u0131"), key + "\\u0000",
        ]  # fmt: skip
        said = f'"{self.rng.choice(variants)}":{self.rng.choice([value, value, value, "null", "[]", "{}", "0"])}'
        mine = piece(text, key)
        place = self.rng.choice(["before", "after", "instead", "in"])
        if place == "before":
            text = text.replace(f'"{key}":', f'{said},"{key}":', 1)
        elif place == "after" and mine is not None:
            text = text.replace(f'"{key}":{mine}', f'"{key}":{mine},{said}', 1)
        elif place == "instead" and mine is not None:
            text = text.replace(f'"{key}":{mine}', said, 1)
        else:
            text = text.replace("{", "{" + said + ",", 1)
        self.entries[i] = replace(self.entries[i], data=text.encode("utf-8", "surrogateescape"))

    def whole(self) -> None:
        """What stands around the value of a document, or two values."""
        name = self.document()
        i = self.at(name)
        mine, other = self.entries[i].data, self.it.other[name]
        forms = [
            mine + other, other + mine, b"\xef\xbb\xbf" + mine, mine + b"\0", mine + b"x", b"\0" + mine, b" \n" + mine + b"\n", b"/*" + other + b"*/" + mine,
            mine[:-1], mine.decode("utf-8", "replace").encode("utf-16"), mine + b"\n" + other, mine.replace(b":", b": \t\r\n", 2), b"\x0c" + mine,
        ]  # fmt: skip
        if name == b"manifest.json":
            forms += [mine[:-1] + b"," + other[1:], other[:-1] + b"," + mine[1:], mine[:-1] + b",null]", mine[:-1] + b",{}]"]
        self.entries[i] = replace(self.entries[i], data=self.rng.choice(forms))

    def values(self) -> None:
        """Paths and names inside of documents, written otherwise."""
        name = self.document()
        i = self.at(name)
        text = self.entries[i].data.decode("utf-8", "surrogateescape")
        strings = [part for part in text.split('"')[1::2] if "/" in part or "." in part or ":" in part]
        if not strings:
            return
        old = self.rng.choice(strings)
        others = [part for part in self.it.other[name].decode().split('"')[1::2] if part]
        new = self.rng.choice(
            ["./" + old, old + "/", "/" + old, old.replace("/", "//"), "x/../" + old, "../" + old, old.replace("/", "\\\\"), old.replace("/", "\\/"),
             old + "\\u0000", old + " ", "", self.rng.choice(others), old.upper(), "here/" + old, old.replace("s", "\\u0073"), "\\ud800" + old]
        )  # fmt: skip
        self.entries[i] = replace(self.entries[i], data=text.replace(f'"{old}"', f'"{new}"', 1).encode("utf-8", "surrogateescape"))

    # --- the stream around it ---

    def wrapped(self) -> None:
        self.around.append(self.rng.choice(["gzip", "gzip", "members", "extra", "bzip2", "trailing", "frame", "cut"]))

    def cut(self) -> None:
        self.around.append("short")

    # --- all ---

    KINDS = [
        again, again, again, link, link, through, through, chain, becomes, crossed, order, gone, renamed, renamed, typed, magic, prefixed, prefixed,
        sized, sized, records, records, hidden_by_records, hidden_by_records, long, summed, patched, patched, zeros, tail, padded, keys, keys, keys, keys,
        whole, values, values, wrapped, cut,
    ]  # fmt: skip

    def run(self) -> tuple[list[str], bytes]:
        done = []
        for _ in range(self.rng.choice([1, 1, 1, 2, 2, 3])):
            kind = self.rng.choice(self.KINDS)
            kind(self)
            done.append(kind.__name__)
        data = tar(self.entries, self.end)
        for around in self.around:
            data = self.wrap(around, data)
        return done, data

    def wrap(self, around: str, data: bytes) -> bytes:
        name = self.document()
        other = tar([Entry(name, self.it.other[name])])
        if around == "gzip":
            return gzip.compress(data, 1, mtime=0)
        if around == "members":
            half = self.rng.choice([0, 512, len(data) // 2, len(data) - 1024])
            return gzip.compress(data[:half], 1, mtime=0) + gzip.compress(data[half:], 1, mtime=0)
        if around == "extra":
            # FEXTRA holds what looks like the header of a tar.
            block = bytearray(Entry(b"\x1f\x8b\x08\x04" + b"\0" * 6, b"").header())
            raw = zlib.compressobj(1, zlib.DEFLATED, -15)
            body = raw.compress(data) + raw.flush()
            return bytes(block[:10]) + struct.pack("<H", 502) + bytes(block[12:]) + other[:2] + body + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
        if around == "bzip2":
            return bz2.compress(data, 1)
        if around == "trailing":
            return gzip.compress(data, 1, mtime=0) + self.rng.choice([b"\0", b"\0" * 512, other, b"x"])
        if around == "frame":
            return b"\x50\x2a\x4d\x18" + struct.pack("<I", len(other)) + other + data
        if around == "cut":
            data = gzip.compress(data, 1, mtime=0)
        return data[: self.rng.randrange(max(len(data), 1))]


def piece(text: str, key: str) -> str | None:
    """The value of the first member of this name, as text."""
    at = text.find(f'"{key}":')
    if at < 0:
        return None
    start = at + len(key) + 3
    depth, quoted, i = 0, False, start
    while i < len(text):
        c = text[i]
        if quoted:
            i += c == "\\"
            quoted = c != '"'
        elif c == '"':
            quoted = True
        elif c in "[{":
            depth += 1
        elif c in "]}":
            if depth == 0:
                break
            depth -= 1
        elif c == "," and depth == 0:
            break
        i += 1
    return text[start:i]

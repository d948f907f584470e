"""Inputs of benches/counts.sh: the same bytes wherever Python's zlib is the same.

    python3 benches/inputs.py DIR

Writes DIR/image.tar, a docker-archive of three plain layers (text, code, noise), DIR/oci, the same as an OCI layout with
gzip layers, and DIR/many.tar, 300 small images in one archive; prints the SHA-256 of all bytes, by which figures say
what they belong to.
"""

import gzip, hashlib, io, json, os, random, sys, tarfile

out = sys.argv[1]
dice = random.Random(21)
whole = hashlib.sha256()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def put(name, data):
    path = os.path.join(out, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    whole.update(b"%s %d\n" % (name.encode(), len(data)) + data)


def tar(members):
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o644, 1700000000
            archive.addfile(info, io.BytesIO(data))
    return text.getvalue()


# ---- Layers: a few words are common and most are rare, as in texts; code repeats what stands a little before it.
words = ["".join(chr(97 + dice.getrandbits(8) % 26) for _ in range(2 + dice.getrandbits(8) % 9)) for _ in range(4096)]


def text(size):
    made = []
    length = 0
    while length < size:
        word = words[int(4096 * dice.random() ** 3)]
        made.append(word)
        length += len(word) + 1
    return " ".join(made).encode()[:size]


def code(size):
    made = bytearray(dice.randbytes(64))
    while len(made) < size:
        kind = dice.getrandbits(2)
        if kind == 0:
            made += dice.randbytes(3)
        else:
            length = 3 + dice.getrandbits(4)
            start = max(0, len(made) - 1 - dice.getrandbits(4 + 4 * kind))
            made += made[start : start + length]
    return bytes(made[:size])


def layer(of, count, size, folder):
    return tar(("usr/%s/d%d/f%d" % (folder, i // 16, i), of(size)) for i in range(count))


def config(layers, number=0):
    return json.dumps({
        "architecture": "amd64", "config": {"Cmd": ["/bin/sh", str(number)]}, "created": "2024-01-02T03:04:05Z",
        "history": [{"created": "2024-01-02T03:04:05Z"} for _ in layers], "os": "linux",
        "rootfs": {"diff_ids": ["sha256:" + sha(data) for data in layers], "type": "layers"},
    }, separators=(",", ":")).encode()


def docker_archive(name, images):
    members, items = {}, []
    for number, layers in enumerate(images):
        names = [sha(data) + ".tar" for data in layers]
        members.update(zip(names, layers))
        described = config(layers, number)
        members[sha(described) + ".json"] = described
        items.append({"Config": sha(described) + ".json", "RepoTags": ["lab/app:%d" % number], "Layers": names})
    put(name, tar([*members.items(), ("manifest.json", json.dumps(items).encode())]))


def oci(name, layers):
    def blob(kind, data):
        put(name + "/blobs/sha256/" + sha(data), data)
        return {"mediaType": kind, "digest": "sha256:" + sha(data), "size": len(data)}

    kind = "application/vnd.oci.image."
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": blob(kind + "config.v1+json", config(layers)),
        "layers": [blob(kind + "layer.v1.tar+gzip", gzip.compress(data, 6, mtime=0)) for data in layers],
    }).encode()
    index = {"schemaVersion": 2, "manifests": [blob(kind + "manifest.v1+json", manifest)]}
    put(name + "/oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    put(name + "/index.json", json.dumps(index).encode())


layers = [layer(text, 64, 16 << 10, "share"), layer(code, 32, 32 << 10, "lib"), layer(lambda size: dice.randbytes(size), 8, 64 << 10, "cache")]
docker_archive("image.tar", [layers])
oci("oci", layers)
base = tar([("base", b"0")])
docker_archive("many.tar", [[base, tar([("file-%d" % i, b"%d" % i)])] for i in range(300)])
print(whole.hexdigest())

#!/usr/bin/env python3
"""Writes the storage of a registry with any number of blobs, 200 in each repository, or large ones.

    benches/storage.py FOLDER BLOBS
    benches/storage.py --large FOLDER BLOBS
    benches/storage.py --layouts FOLDER BLOBS

Of 200 blobs of a repository 62 are manifests, 62 configs, 62 layers of one image each, and the rest layers that four repositories
share; each layer is a small tar, so that what is measured is what a blob costs, not its bytes. With --large every blob is a layer of
1 MiB, half of them gzip. With --layouts each repository is an OCI layout, as zot keeps them, with its own copy of what others have,
too.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
import zlib

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def main() -> None:
    large = sys.argv[1] == "--large"
    folder, count = sys.argv[-2], int(sys.argv[-1])
    os.makedirs(folder)
    storage = Layouts(folder) if sys.argv[1] == "--layouts" else Storage(folder)
    images = 62 if not large else 10
    blobs, repository = 0, 0
    while blobs < count:
        blobs += storage.repository(f"team{repository % 50}/app{repository}", repository, images, large)
        repository += 1


class Layouts:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def repository(self, name: str, number: int, images: int, _: bool) -> int:
        root = f"{self.folder}/{name}"
        os.makedirs(f"{root}/blobs/sha256")
        written: set[str] = set()

        def blob(kind: str, data: bytes) -> dict[str, object]:
            digest = hashlib.sha256(data).hexdigest()
            if digest not in written:
                write(f"{root}/blobs/sha256/{digest}", data)
                written.add(digest)
            return descriptor(kind, digest, data)

        roots = []
        for image in range(images):
            layers = [layer(f"base {number // 4} {image}", False, 0), layer(f"{number} {image}", False, 0)]
            parts = [blob(LAYER, data) for data, _ in layers]
            config = blob(CONFIG, config_of(f"{number} {image}", layers))
            root_of = blob(MANIFEST, manifest_of(config, parts))
            roots.append(root_of | {"annotations": {"org.opencontainers.image.ref.name": f"v{image}"}})
        write(f"{root}/oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        write(f"{root}/index.json", json.dumps({"schemaVersion": 2, "manifests": roots}).encode())
        return len(written)


def config_of(what: str, layers: list[tuple[bytes, str]]) -> bytes:
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": [what]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}" for _, diff_id in layers]},
            "history": [{"created_by": "x"} for _ in layers],
        }
    ).encode()


def manifest_of(config: dict[str, object], layers: list[dict[str, object]]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}).encode()


class Storage:
    def __init__(self, folder: str) -> None:
        self.root = f"{folder}/docker/registry/v2"
        for i in range(256):
            os.makedirs(f"{self.root}/blobs/sha256/{i:02x}")

    def blob(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        folder = f"{self.root}/blobs/sha256/{digest[:2]}/{digest}"
        try:
            os.mkdir(folder)
        except FileExistsError:
            return digest
        write(f"{folder}/data", data)
        return digest

    def repository(self, name: str, number: int, images: int, large: bool) -> int:
        root = f"{self.root}/repositories/{name}"
        for below in ["_layers/sha256", "_manifests/revisions/sha256", "_manifests/tags"]:
            os.makedirs(f"{root}/{below}")
        linked: set[str] = set()
        count = 0
        for image in range(images):
            layers = [layer(f"{number} {image}", large, image % 2)]
            if not large:
                # The base of an image is that of every image of four repositories.
                layers.insert(0, layer(f"base {number // 4} {image}", large, 0))
            digests = [self.blob(data) for data, _ in layers]
            count += len(digests) + (2 if not large else 0) - (0 if large or number % 4 == 0 else 1)
            config = config_of(f"{number} {image}", layers)
            config_digest = self.blob(config)
            kind = LAYER + "+gzip" if large and image % 2 else LAYER
            parts = [descriptor(kind, digest, data) for digest, (data, _) in zip(digests, layers)]
            manifest = manifest_of(descriptor(CONFIG, config_digest, config), parts)
            digest = self.blob(manifest)
            for part in {*digests, config_digest} - linked:
                link(f"{root}/_layers/sha256/{part}", part)
                linked.add(part)
            link(f"{root}/_manifests/revisions/sha256/{digest}", digest)
            tag = f"{root}/_manifests/tags/v{image}"
            os.makedirs(f"{tag}/index/sha256")
            link(f"{tag}/current", digest)
            link(f"{tag}/index/sha256/{digest}", digest)
        return count


def layer(what: str, large: bool, compressed: int) -> tuple[bytes, str]:
    content = what.encode()
    if large:
        # Half of it can be compressed.
        noise = hashlib.shake_256(content).digest(512 << 10)
        content = noise + b"text " * ((512 << 10) // 5)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        head = tarfile.TarInfo("etc")
        head.type, head.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(head)
        head = tarfile.TarInfo("etc/what")
        head.size = len(content)
        tar.addfile(head, io.BytesIO(content))
    plain = out.getvalue() if large else out.getvalue()[: 3 * 512 + 1024]
    diff_id = hashlib.sha256(plain).hexdigest()
    if compressed and large:
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        return packer.compress(plain) + packer.flush(), diff_id
    return plain, diff_id


def descriptor(kind: str, digest: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}


def link(folder: str, digest: str) -> None:
    os.mkdir(folder)
    write(f"{folder}/link", f"sha256:{digest}".encode())


def write(path: str, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(handle, data)
    os.close(handle)


main()

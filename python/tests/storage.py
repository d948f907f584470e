"""The storage of a registry, as tests need it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path


def storage(root: Path, images: int, size: int) -> str:
    """A storage of so many images, each in a repository of its own, with one layer that is not what its digest says."""
    base = root / "docker/registry/v2"

    def blob(data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        folder = base / "blobs/sha256" / name[:2] / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").write_bytes(data)
        return f"sha256:{name}"

    def link(repository: str, below: str, digest: str) -> None:
        folder = base / "repositories" / repository / below
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "link").write_text(digest)

    for i in range(images):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            head = tarfile.TarInfo("what")
            data = hashlib.shake_256(str(i).encode()).digest(size)
            head.size = len(data)
            tar.addfile(head, io.BytesIO(data))
        layer = out.getvalue()
        repository, digest = f"team/app{i}", blob(layer)
        diff_id = digest
        if i == 3:
            path = base / "blobs/sha256" / digest[7:9] / digest[7:] / "data"
            path.write_bytes(layer[:-1] + b"x")
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
        ).encode()
        kind = "application/vnd.oci.image."
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": kind + "manifest.v1+json",
                "config": {"mediaType": kind + "config.v1+json", "digest": blob(config), "size": len(config)},
                "layers": [{"mediaType": kind + "layer.v1.tar", "digest": digest, "size": len(layer)}],
            }
        ).encode()
        own = blob(manifest)
        for part in (digest, blob(config)):
            link(repository, f"_layers/sha256/{part[7:]}", part)
        link(repository, f"_manifests/revisions/sha256/{own[7:]}", own)
        link(repository, "_manifests/tags/1/current", own)
        link(repository, f"_manifests/tags/1/index/sha256/{own[7:]}", own)
    return f"registry-storage:{root}"

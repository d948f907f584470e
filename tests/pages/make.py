"""Archives whose pages are looked at: a sound image, twelve platforms, many findings, hostile names, two that differ, and
images and faults by the hundred for measuring. Every byte is the same each time.

    python3 tests/pages/make.py FOLDER [measure]
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202e</title></style>--><svg onload=alert(1)>`|*_[x](javascript:alert(1))"


def noise(size, seed):
    """Bytes that do not compress, the same each time."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


class Layout:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(os.path.join(folder, "blobs/sha256"), exist_ok=True)
        self.items = []

    def blob(self, data):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.folder, "blobs/sha256", digest), "wb") as file:
            file.write(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def document(self, media_type, value, **more):
        return {"mediaType": media_type, **self.blob(json.dumps(value, indent=2).encode()), **more}

    def layer(self, files, seed=0):
        """`files` by path: a size, None for a directory, or text."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, what in files.items():
                info = tarfile.TarInfo(path)
                if what is None:
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(info)
                    continue
                data = what.encode() if isinstance(what, str) else noise(what, (seed, path))
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        plain = out.getvalue()
        packed = gzip.compress(plain, 6, mtime=0)
        return {"mediaType": LAYER, **self.blob(packed)}, "sha256:" + hashlib.sha256(plain).hexdigest()

    def image(self, layers, commands, architecture="amd64", variant=None, env=(), annotations=None, os_name="linux"):
        platform = {"architecture": architecture, "os": os_name, **({"variant": variant} if variant else {})}
        config = {
            "created": "2024-05-06T07:08:09Z",
            **platform,
            "config": {"Entrypoint": ["/usr/bin/app"], "Env": ["PATH=/usr/bin:/bin", *env], "WorkingDir": "/srv"},
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
            "history": [{"created": "2024-05-06T07:08:09Z", "created_by": command} for command in commands],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.document(CONFIG, config),
            "layers": [descriptor for descriptor, _ in layers],
            **({"annotations": annotations} if annotations else {}),
        }
        return self.document(MANIFEST, manifest, platform=platform)

    def index(self, manifests):
        return self.document(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})

    def name(self, descriptor, name):
        descriptor = {key: value for key, value in descriptor.items() if key != "platform"}
        self.items.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})

    def finish(self):
        for name, value in [
            ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
            ("index.json", {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.items}),
        ]:
            with open(os.path.join(self.folder, name), "w") as file:
                json.dump(value, file, indent=2)


def base(layout, architecture="amd64"):
    files = {"bin": None, "etc": None, "usr": None, "usr/lib": None, "etc/os-release": "ID=show\n", "bin/sh": 120_000}
    files.update({f"usr/lib/lib{n}.so": 9_000 + 700 * n for n in range(40)})
    return layout.layer(files, architecture)


COMMANDS = [
    "ADD rootfs.tar.gz / # buildkit",
    "RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends ca-certificates libssl3 # buildkit",
    "COPY --chown=app:app dist/ /srv/ # buildkit",
    "RUN /bin/sh -c rm -rf /usr/lib/apt /var/cache/apt && chmod 755 /srv/app # buildkit",
    "COPY config.json /etc/app/config.json # buildkit",
]


def app(layout, text="one", architecture="amd64"):
    first = base(layout, architecture)
    packages = {"usr/lib/apt": None, "var": None, "var/cache": None, "var/cache/apt": None}
    packages.update({f"usr/lib/apt/method{n}": 15_000 for n in range(12)})
    packages.update({"var/cache/apt/pkgcache.bin": 260_000, "usr/lib/lib3.so": 11_500, "usr/lib/libssl.so.3": 310_000})
    own = {"srv": None, "srv/app": 420_000, "srv/assets": None}
    own.update({f"srv/assets/chunk{n}.js": 6_000 + 900 * n for n in range(18)})
    removed = {"usr/lib/.wh.apt": "", "var/cache/.wh.apt": "", "srv": None, "srv/app": 420_000}
    last = {"etc": None, "etc/app": None, "etc/app/config.json": json.dumps({"text": text})}
    return [first, layout.layer(packages, architecture), layout.layer(own, architecture),
            layout.layer(removed, architecture), layout.layer(last)]


def sound(folder):
    layout = Layout(folder)
    layout.name(layout.image(app(layout), COMMANDS), "1.4.2")
    layout.finish()


def other(folder):
    """As `sound`, but for a file of the last layer, the environment, and one more layer."""
    layout = Layout(folder)
    layers = app(layout, "two") + [layout.layer({"srv": None, "srv/health": 8_000})]
    commands = [*COMMANDS, "COPY health /srv/health # buildkit"]
    layout.name(layout.image(layers, commands, env=["DEBUG=1"]), "1.4.2")
    layout.finish()


def app_tar(folder):
    """For the picture of the manual: `sound` as an archive, of which the manifest tells a wrong size and a variable stands twice."""
    layout = Layout(os.path.join(folder, "layout"))
    image = layout.image(app(layout), COMMANDS, env=["LANG=C", "LANG=C.UTF-8"])
    path = os.path.join(layout.folder, "blobs/sha256", image["digest"][7:])
    with open(path) as file:
        manifest = json.load(file)
    manifest["config"]["size"] += 4
    os.remove(path)
    layout.name(layout.document(MANIFEST, manifest), "1.4.2")
    layout.finish()
    with tarfile.open(os.path.join(folder, "app.tar"), "w") as tar:
        for name in ["oci-layout", "index.json", "blobs"]:
            tar.add(os.path.join(layout.folder, name), name, filter=plain)


def plain(info):
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    info.mode = 0o755 if info.isdir() else 0o644
    return info


def twelve(folder):
    layout = Layout(folder)
    kinds = [("amd64", None), ("386", None), ("arm64", "v8"), ("arm", "v5"), ("arm", "v6"), ("arm", "v7"),
             ("ppc64le", None), ("s390x", None), ("riscv64", None), ("mips64le", None), ("loong64", None), ("amd64", "v3")]
    shared = [layout.layer({"etc": None, "etc/motd": "hello\n", "etc/certs": 90_000}, "shared"),
              layout.layer({"srv": None, "srv/data": 300_000}, "shared")]
    manifests = []
    for architecture, variant in kinds:
        own = layout.layer({"bin": None, "bin/app": 200_000 + 1_000 * len(manifests)}, (architecture, variant))
        layers = [shared[0], own, shared[1]]
        commands = ["COPY certs /etc/ # buildkit", f"COPY app-{architecture} /bin/app # buildkit", "COPY data /srv/ # buildkit"]
        manifests.append(layout.image(layers, commands, architecture, variant))
    layout.name(layout.index(manifests), "latest")
    layout.finish()


def hostile(folder):
    layout = Layout(folder)
    layers = [layout.layer({HOSTILE: 10, "a/" + "x" * 240: 5, "../../etc/passwd": 5, "\u202egnp.exe": 3})]
    image = layout.image(layers, [HOSTILE * 20], HOSTILE, HOSTILE, env=[HOSTILE], annotations={HOSTILE: HOSTILE})
    image["size"] += 1
    image["annotations"] = {HOSTILE: HOSTILE}
    layout.name(image, HOSTILE)
    layout.name(layout.image(layers, ["b" * 5_000]), "a" * 300)
    layout.finish()


def faults(folder, count):
    """As many images, of each of which a size is wrong."""
    layout = Layout(folder)
    layers = [layout.layer({"a": 10})]
    for n in range(count):
        image = layout.image(layers, [f"COPY a /{n}"], env=[f"N={n}"])
        layout.name({**image, "size": image["size"] + 1}, f"n{n}")
    layout.finish()


def tall(folder, count):
    """An image of as many layers."""
    layout = Layout(folder)
    layers = [layout.layer({f"d{n % 7}": None, f"d{n % 7}/f{n}": 2_000 + n, f"d{n % 7}/same": 500 + n}, n) for n in range(count)]
    layout.name(layout.image(layers, [f"RUN /bin/sh -c make -C /src step-{n} # buildkit" for n in range(count)]), "tall")
    layout.finish()


def main():
    folder = sys.argv[1]
    at = lambda name: os.path.join(folder, name)
    if sys.argv[2:] == ["measure"]:
        for count in [10, 100, 1000]:
            tall(at(f"layers-{count}"), count)
            faults(at(f"findings-{count}"), count)
        tall(at("layers-60"), 60)
        faults(at("findings-300"), 300)
        return
    sound(at("sound"))
    app_tar(at("picture"))
    other(at("other"))
    twelve(at("twelve"))
    hostile(at("hostile"))
    faults(at("faults"), 300)


main()

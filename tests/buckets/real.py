"""A registry that writes into a bucket, damage in it, what restow says of both the bucket and its copy on disk, and how it puts
the bucket right."""

import base64
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

RESTOW, TOOLS, WORK = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
IMAGES = int(os.environ.get("RESTOW_BUCKET_IMAGES", "200"))
LAYER = int(os.environ.get("RESTOW_BUCKET_LAYER", "20000"))
BUCKET, KEY, SECRET = "images", "AKIDREAL", "real+secret/not/shown"
ROOT = "prod/docker/registry/v2/"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def two_free_ports():
    """A port of which the one 10,000 above is free, too: SeaweedFS takes both."""
    while True:
        port = random.randrange(11000, 30000)
        try:
            for one in (port, port + 10000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", one))
            return port
        except OSError:
            continue


class Server:
    """A process that listens, ended at the end."""

    def __init__(self, arguments, port, **more):
        log = open(WORK / f"{Path(arguments[0]).name}.log", "w")
        self.child = subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **more)
        until = time.time() + 60
        while time.time() < until:
            assert self.child.poll() is None, f"{arguments[0]} ended: {Path(log.name).read_text()[-2000:]}"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit(f"{arguments[0]} does not listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def seaweed():
    folder = WORK / "seaweed"
    folder.mkdir()
    master, volume, filer, port = (two_free_ports() for _ in range(4))
    actions = ["Admin", "Read", "Write", "List"]
    identity = {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": actions}
    (WORK / "s3.json").write_text(json.dumps({"identities": [identity]}))
    arguments = [str(TOOLS / "weed"), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    arguments += ["-master.telemetry=false", f"-master.port={master}", f"-volume.port={volume}", "-filer"]
    arguments += [f"-filer.port={filer}", "-s3", f"-s3.port={port}", f"-s3.config={WORK / 's3.json'}"]
    arguments += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=50", "-master.volumeSizeLimitMB=256"]
    return Server(arguments, port), f"http://127.0.0.1:{port}"


def client(endpoint):
    config = Config(retries={"max_attempts": 10}, max_pool_connections=16)
    return boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                        region_name="us-east-1", config=config)


def variables(endpoint):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return kept | {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                   "AWS_REGION": "us-east-1"}


def restow(arguments, endpoint=None, codes=(0,)):
    """Runs it: standard output, seconds, and the peak of memory in MiB."""
    # A child of its own, so that its memory is known.
    measure = ("import resource,subprocess,sys;code=subprocess.run(sys.argv[1:]).returncode;"
               "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr);sys.exit(code)")
    began = time.time()
    environment = variables(endpoint or "http://127.0.0.1:1")
    run = subprocess.run([sys.executable, "-c", measure, RESTOW, *arguments], capture_output=True, text=True,
                         env=environment)
    taken = time.time() - began
    assert run.returncode in codes, f"restow {arguments}: {run.returncode}\n{run.stdout[-3000:]}\n{run.stderr[-3000:]}"
    for text in (run.stdout, run.stderr):
        assert SECRET not in text and KEY not in text, "a credential is told"
    peak = int(re.search(r"^peak (\d+)", run.stderr, re.M).group(1)) / 1024
    restow.said = run.stderr
    return run.stdout, taken, peak


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layout(folder):
    """An OCI layout of images with a layer that all share and one of their own."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data):
        digest = sha256(data)
        (blobs / digest[7:]).write_bytes(data)
        return digest

    def layer(name, content):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
        return out.getvalue()

    shared = layer("shared", b"shared" * 1000)
    roots = []
    for i in range(IMAGES):
        # Bytes that nobody can compress.
        own = layer(f"own{i}", b"".join(hashlib.sha256(f"{i} {j}".encode()).digest() for j in range(LAYER // 32)))
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": [str(i)]},
                             "rootfs": {"type": "layers", "diff_ids": [sha256(shared), sha256(own)]}}).encode()
        kind = "application/vnd.oci.image."
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": kind + "manifest.v1+json",
            "config": {"mediaType": kind + "config.v1+json", "digest": put(config), "size": len(config)},
            "layers": [{"mediaType": kind + "layer.v1.tar", "digest": put(one), "size": len(one)} for one in (shared, own)],
        }).encode()
        roots.append({"mediaType": kind + "manifest.v1+json", "digest": put(manifest), "size": len(manifest),
                      "annotations": {"org.opencontainers.image.ref.name": f"team{i % 3}/app{i}:1"}})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": roots}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return [(f"team{i % 3}/app{i}", root["digest"]) for i, root in enumerate(roots)]


def registry(endpoint):
    """Debian's registry over the bucket, and where it listens."""
    port = free_port()
    config = WORK / "registry.yml"
    s3 = {"accesskey": KEY, "secretkey": SECRET, "region": "us-east-1", "regionendpoint": endpoint, "bucket": BUCKET,
          "secure": False, "v4auth": True, "rootdirectory": "/prod"}
    config.write_text(json.dumps({
        "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"s3": s3, "redirect": {"disable": True}}, "http": {"addr": f"127.0.0.1:{port}"},
    }))
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and not name.startswith("AWS_")}
    return Server(["docker-registry", "serve", str(config)], port, env=environment), f"localhost:{port}"


def push(images, folder, endpoint):
    """A registry takes all of them, some by skopeo."""
    server, host = registry(endpoint)
    with server:
        for name, digest in images[:5]:
            subprocess.run(["skopeo", "--insecure-policy", "copy", "--preserve-digests", "--dest-tls-verify=false", "-q",
                            f"oci:{folder}:{name}:1", f"docker://{host}/{name}:1"], check=True, stdin=subprocess.DEVNULL)
        # What is pushed together is mounted from one repository into others, where a blob that goes would be missed, too.
        alone = damaged(images)
        for name, digest in alone:
            restow(["convert", "-q", "--tls-verify=false", "--image", digest, f"oci:{folder}", f"docker://{host}/{name}:1"])
        rest = [digest for name, digest in images[5:] if (name, digest) not in alone]
        chosen = [part for digest in rest for part in ("--image", digest)]
        restow(["convert", "-q", "--tls-verify=false", *chosen, f"oci:{folder}", f"docker://{host}/"])


def blob(digest):
    return f"{ROOT}blobs/sha256/{digest[7:9]}/{digest[7:]}/data"


def link(name, below, digest):
    return f"{ROOT}repositories/{name}/{below}/sha256/{digest[7:]}/link"


def damaged(images):
    """The images that something will befall."""
    return images[7::4][:12]


def damage(s3, images):
    """Twelve kinds, each of an image of its own: the rule that finds it."""
    get = lambda key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    put = lambda key, data: s3.put_object(Bucket=BUCKET, Key=key, Body=data)
    delete = lambda key: s3.delete_object(Bucket=BUCKET, Key=key)

    def flipped(key, at):
        data = bytearray(get(key))
        data[at(data)] ^= 1
        put(key, bytes(data))

    def moved(key, layer):
        other = "01" if layer[7:9] == "00" else "00"
        put(key.replace(f"/sha256/{layer[7:9]}/", f"/sha256/{other}/"), get(key))
        delete(key)

    middle = lambda data: len(data) // 2
    kinds = [
        ("blob/digest-mismatch", lambda n, m, c, l: flipped(blob(l), middle)),
        ("blob/digest-mismatch", lambda n, m, c, l: put(blob(l), get(blob(l))[:5000])),
        ("blob/digest-mismatch", lambda n, m, c, l: put(blob(l), b"")),
        ("blob/missing", lambda n, m, c, l: delete(blob(l))),
        ("blob/missing", lambda n, m, c, l: delete(blob(c))),
        ("blob/missing", lambda n, m, c, l: delete(blob(m))),
        ("blob/digest-mismatch", lambda n, m, c, l: flipped(blob(m), lambda data: data.index(b":"))),
        ("storage/missing-layer-link", lambda n, m, c, l: delete(link(n, "_layers", l))),
        ("storage/missing-revision", lambda n, m, c, l: delete(link(n, "_manifests/revisions", m))),
        ("storage/bad-link", lambda n, m, c, l: put(f"{ROOT}repositories/{n}/_manifests/tags/1/current/link", b"")),
        ("storage/link-mismatch", lambda n, m, c, l: put(link(n, "_layers", l), c.encode())),
        ("blob/missing", lambda n, m, c, l: moved(blob(l), l)),
    ]
    wanted = {}
    for (rule, does), (name, manifest) in zip(kinds, damaged(images)):
        document = json.loads(get(blob(manifest)))
        does(name, manifest, document["config"]["digest"], document["layers"][-1]["digest"])
        wanted[f"{name}:1"] = rule
    assert len(wanted) == len(kinds)
    return wanted


def keys(s3, prefix):
    """Every object below a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [one["Key"] for page in pages for one in page.get("Contents", []) if not one["Key"].endswith("/")]


def copy(s3, folder):
    """Every object as a file: bytes, seconds of reading them by 16 threads, and how many blobs there are."""
    listed = keys(s3, "prod/")

    def read(key):
        return key, s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    blobs = [key for key in listed if key.endswith("/data") and "/blobs/" in key]
    with ThreadPoolExecutor(16) as pool:
        began = time.time()
        data = dict(pool.map(read, blobs))
        taken = time.time() - began
        size = sum(map(len, data.values()))
        data |= dict(pool.map(read, [key for key in listed if key not in data]))
    for key, content in data.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return size, taken, len(blobs)


def alike(text, place):
    """A report without what follows from where the storage is."""
    lines = [line for line in text.splitlines() if '"fingerprint"' not in line]
    return "\n".join(lines).replace(place, "PLACE")


def judged(report, wanted):
    """Each planted fault is found with its tag, and no other tag is broken."""
    told = {}
    for finding in json.loads(report)["sources"][0]["findings"]:
        if finding["level"] == "note":
            continue
        text = finding["message"] + (finding["primary"].get("member") or "")
        names = (finding.get("affects") or {}).get("names") or [name for name in wanted if name[:-2] + "/" in text + "/"]
        for name in names:
            told.setdefault(name, set()).add(finding["rule"])
    assert set(told) == set(wanted), (sorted(told), sorted(wanted))
    for name, rule in wanted.items():
        assert rule in told[name], (name, rule, told[name])


def report_of_sums(s3, file):
    """What a job of S3 Batch Operations would say of every object that is there now: its bytes, its ETag, its SHA-256."""
    with open(file, "w") as out:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="prod/"):
            for one in page.get("Contents", []):
                data = s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
                digest = hashlib.sha256(data).digest()
                message = json.dumps({"checksum_base64": base64.b64encode(digest).decode().replace("=", "\\u003d"),
                                      "etag": one["ETag"].strip('"'), "checksumAlgorithm": "SHA256",
                                      "checksumType": "FULL_OBJECT", "checksum_hex": digest.hex().upper()})
                message = message.replace("\\\\u003d", "\\u003d").replace('"', '""')
                out.write(f'{BUCKET},{one["Key"].replace("/", "%2F")},,succeeded,200,,"{message}"\n')


def summed(s3, endpoint, report, wanted, name):
    """A scrub that takes the sums of a report: what it finds, what it reads, and what it says that it did not prove."""
    counts, codes = WORK / "counts.prom", (1,) if wanted else (0,)
    found, taken, _ = restow(["scrub", "--json", "--metrics", str(counts), "--checksums", str(report),
                              f"registry-storage:s3://{BUCKET}/prod"], endpoint, codes)
    if wanted:
        judged(found, wanted)
    count = dict(re.findall(r"^restow_scrub_(\w+) (\d+)$", counts.read_text(), re.M))
    proved = json.loads(found)["sources"][0]["proved"]
    assert int(count["store_blobs"]) == proved["store"]["blobs"] > IMAGES * 9 // 10, (count, proved)
    read = int(count["read_bytes"]) + 512 * int(count["store_blobs"])
    assert read < int(count["bytes"]) / 4, count
    words = re.search(r"^checksums that prove nothing: (.*)$", restow.said, re.M)
    print(f"checksums, {name}: {count['store_blobs']} of {count['blobs']} blobs by the store, {count['read_blobs']} read; "
          f"{read} of {count['bytes']} bytes, {taken:.1f} s; not verified: {proved['unproved']}"
          f"{'; prove nothing: ' + words.group(1) if words else ''}", flush=True)
    return words.group(1) if words else ""


def compared(endpoint, wanted, name):
    s3 = client(endpoint)
    folder = WORK / f"copy-{name}"
    size, boto, blobs = copy(s3, folder)
    place = f"s3://{BUCKET}/prod"
    bucket, taken, peak = restow(["scrub", "--json", f"registry-storage:{place}"], endpoint, (1,))
    disk, local, _ = restow(["scrub", "--json", f"registry-storage:{folder / 'prod'}"], codes=(1,))
    assert alike(bucket, place) == alike(disk, str(folder / "prod")), f"{name}: the bucket is told otherwise than its copy"
    judged(bucket, wanted)
    print(f"{name}: {IMAGES} images, {blobs} blobs, {size / 1e6:.1f} MB: as its copy on disk; scrub {taken:.1f} s, peak {peak:.0f} MB; "
          f"boto3 reads the blobs in {boto:.1f} s; scrub of the copy {local:.1f} s", flush=True)


def served(images, endpoint):
    """Out of the bucket, as a registry: pulled by docker, podman, buildah, ctr and skopeo, as they are."""
    if os.geteuid() != 0 or not all(map(shutil.which, ["dockerd", "containerd", "podman", "buildah"])):
        print("serve: not pulled, which needs root, docker, containerd, podman and buildah", flush=True)
        return
    pull = Path(__file__).resolve().parents[1] / "serve/pull.py"
    places = [f"registry-storage:s3://{BUCKET}/prod:{name}:1" for name, _ in images[4:6]]
    run = subprocess.run([sys.executable, str(pull), RESTOW, *places], capture_output=True, text=True, env=variables(endpoint))
    lines = run.stdout.splitlines()
    assert run.returncode == 0 and len(lines) == 7 and all(line.endswith(": 2 as they are, 0 not") for line in lines), run
    print(f"serve: {'; '.join(lines)}", flush=True)


def pulled(images, endpoint):
    """Every tag out of a registry over the bucket, begun anew as it remembers: by skopeo, and by docker where it is."""
    server, host = registry(endpoint)
    home = Path(tempfile.mkdtemp(prefix="restow-bucket-"))
    docker = ["docker", "-H", f"unix://{home}/docker.sock"]
    with server:
        for name, digest in images:
            to = home / "pulled"
            subprocess.run(["skopeo", "copy", "-q", "--preserve-digests", "--src-tls-verify=false",
                            f"docker://{host}/{name}:1", f"dir:{to}"], check=True, stdin=subprocess.DEVNULL)
            assert sha256((to / "manifest.json").read_bytes()) == digest, name
            shutil.rmtree(to)
        tools = "skopeo"
        if os.geteuid() == 0 and shutil.which("dockerd"):
            tools += " and docker"
            daemon = ["dockerd", "--iptables=false", "--bridge=none", "--data-root", f"{home}/data", "--exec-root", f"{home}/exec",
                      "-H", docker[2], "--pidfile", f"{home}/docker.pid"]
            child = subprocess.Popen(daemon, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            try:
                until = time.time() + 60
                while subprocess.run([*docker, "version"], capture_output=True).returncode:
                    assert time.time() < until and child.poll() is None, "dockerd does not answer"
                    time.sleep(0.1)
                for name, digest in images:
                    subprocess.run([*docker, "pull", "-q", f"{host}/{name}@{digest}"], check=True, stdout=subprocess.DEVNULL)
                    subprocess.run([*docker, "pull", "-q", f"{host}/{name}:1"], check=True, stdout=subprocess.DEVNULL)
            finally:
                child.terminate()
                child.wait(30)
    shutil.rmtree(home, ignore_errors=True)
    return tools


def repaired(s3, images, folder, endpoint):
    """From the archive that it was pushed from, then, damaged once more, from a copy on disk: sound, and every tag is pulled."""
    place = f"registry-storage:s3://{BUCKET}/prod"
    for kind, source in [("an archive", f"oci:{folder}"), ("a copy on disk", f"registry-storage:{WORK / 'sound/prod'}")]:
        before = set(keys(s3, ""))
        plan, _, _ = restow(["repair", place, "--from", source], endpoint, (1,))
        account, taken, peak = restow(["repair", "--write", "--account", "-", "--from", source, place], endpoint, (0,))
        account = json.loads(account)
        assert account["left"] == [] and len(account["steps"]) >= 12, account
        after = set(keys(s3, ""))
        assert before <= after, before - after
        restow(["scrub", place], endpoint, (0,))
        tools = pulled(images, endpoint)
        print(f"seaweedfs: repaired from {kind}: {len(account['steps'])} put right in {taken:.1f} s, peak {peak:.0f} MB; then "
              f"sound, and all {len(images)} tags pulled by {tools}", flush=True)
        if kind == "an archive":
            damage(s3, images)
    # What no place has is told, with where it was sought; the rest is put right.
    name, manifest = images[1]
    layer = json.loads(s3.get_object(Bucket=BUCKET, Key=blob(manifest))["Body"].read())["layers"][-1]["digest"]
    s3.delete_object(Bucket=BUCKET, Key=blob(layer))
    empty = WORK / "empty"
    restow(["convert", "-q", "--image", f"{images[0][0]}:1", f"oci:{folder}", f"oci:{empty}"])
    account, _, _ = restow(["repair", "--write", "--account", "-", "--from", f"oci:{empty}", place], endpoint, (1,))
    left = json.loads(account)["left"]
    assert layer in json.dumps(left), left
    assert left[0]["sought"], left


def main():
    folder = WORK / "layout"
    images = layout(folder)
    server, endpoint = seaweed()
    with server:
        s3 = client(endpoint)
        until = time.time() + 60
        while True:
            try:
                s3.create_bucket(Bucket=BUCKET)
                break
            except Exception as error:  # It listens before it is ready.
                if time.time() > until:
                    raise error
                time.sleep(0.5)
        push(images, folder, endpoint)
        report, taken, peak = restow(["scrub", "--json", f"registry-storage:s3://{BUCKET}/prod"], endpoint)
        assert json.loads(report)["sources"][0]["sound"], report
        print(f"seaweedfs: sound as the registry wrote it, {taken:.1f} s, peak {peak:.0f} MB", flush=True)
        tree, _, _ = restow(["inspect", f"registry-storage:s3://{BUCKET}/prod:team0/app0:1"], endpoint)
        assert "team0/app0:1" in tree, tree
        served(images, endpoint)
        copy(s3, WORK / "sound")
        report = WORK / "sums.csv"
        report_of_sums(s3, report)
        summed(s3, endpoint, report, {}, "sound")
        wanted = damage(s3, images)
        # Its rows of what was damaged since are of other versions; of one that is made now, they say what is wrong.
        said = summed(s3, endpoint, report, wanted, "a report from before the damage")
        assert "of another version" in said, said
        report_of_sums(s3, report)
        said = summed(s3, endpoint, report, wanted, "a report from after it")
        assert "not what the name says" in said, said
        compared(endpoint, wanted, "seaweedfs")
        objects = WORK / "copy-seaweedfs"
        repaired(s3, images, folder, endpoint)
    port = free_port()
    with Server([str(TOOLS / "moto_server"), "-H", "127.0.0.1", "-p", str(port)], port):
        endpoint = f"http://127.0.0.1:{port}"
        s3 = client(endpoint)
        s3.create_bucket(Bucket=BUCKET)
        for path in sorted(objects.rglob("*")):
            if path.is_file():
                s3.put_object(Bucket=BUCKET, Key=str(path.relative_to(objects)), Body=path.read_bytes())
        compared(endpoint, wanted, "moto")


# Servers end with it, however it ends.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
main()

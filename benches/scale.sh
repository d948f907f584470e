#!/usr/bin/env bash
# How the cost of restow grows with an archive: time and memory at three sizes of each kind, and the exponent of the
# curve through them. 1 is linear; above 1.1 is a fault to be explained.
#
#   benches/scale.sh                 all curves, about ten minutes
#   benches/scale.sh --only layers   one of them
#   benches/scale.sh --dir /dev/shm  work in another directory (default $TMPDIR or /tmp)
#   benches/scale.sh --instructions  count instructions (valgrind) where the clock is disturbed: all curves but that of
#                                    the size, half an hour, with one job; above 1.05 is a fault
#
# Exponents are fitted to the CPU time above that of the smallest archive of all, so that what every run costs does not
# hide the growth. No network, no privileges; removes what it made. Needs python3, GNU time and about 3 GB.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=benches/lib.sh
source benches/lib.sh

only='' base=${TMPDIR:-/tmp} counted='' most=1.1
while (($#)); do
    case $1 in
        --only) only=$2 ;;
        --dir) base=$2 ;;
        --instructions) counted=yes most=1.05; shift; continue ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    esac
    shift 2
done
work=$(mktemp -d "$base/restow-scale-XXXXXX")
log=$work/log
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
restow_to_measure

# ---- Archives, made by python3: KIND N FILE writes one of N of a kind.
cat >"$work/make.py" <<'END'
import gzip, hashlib, io, json, os, random, sys, tarfile

kind, n, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sha = lambda data: hashlib.sha256(data).hexdigest()
random.seed(7)

def layer(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()

def config(diff_ids, seed=0):
    return json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh", str(seed)]},
        "created": "2024-01-02T03:04:05Z", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + d for d in diff_ids]},
        "history": [{"created": "2024-01-02T03:04:05Z"} for _ in diff_ids]}, separators=(",", ":")).encode()

class Out:
    def __init__(self, path):
        self.tar, self.seen = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT), set()
    def add(self, name, data):
        if name not in self.seen:
            self.seen.add(name)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            self.tar.addfile(info, io.BytesIO(data))

def docker_archive(path, images, tags=lambda i: ["lab/app:%d" % i], text_of=config):
    out, items = Out(path), []
    for i, layers in enumerate(images):
        names = []
        for data in layers:
            names.append(sha(data) + ".tar")
            out.add(names[-1], data)
        text = text_of([name[:64] for name in names], i)
        out.add(sha(text) + ".json", text)
        items.append({"Config": sha(text) + ".json", "RepoTags": tags(i), "Layers": names})
    out.add("manifest.json", json.dumps(items).encode())
    out.tar.close()

def small(i):
    return layer([("file-%d" % i, b"%d" % i)])

if kind == "size":  # n MB
    noise = random.randbytes(1 << 20)
    docker_archive(path, [[layer([("f%d" % i, noise[i:] + noise[:i]) for i in range(n)])]])
elif kind == "layers":
    docker_archive(path, [[small(i) for i in range(n)]])
elif kind == "images":
    base = small(0)
    docker_archive(path, [[base, small(i + 1)] for i in range(n)])
elif kind == "references":
    docker_archive(path, [[small(0)]], lambda _: ["lab/app:%d" % i for i in range(n)])
elif kind == "findings":  # each image has a config that says no architecture, and a tag that is none
    text = lambda ids, i: config(ids, i).replace(b'"architecture":"amd64",', b"")
    docker_archive(path, [[small(i)] for i in range(n)], lambda i: ["lab/app:%d" % i, "lab/app:no tag %d" % i], text)
elif kind == "platforms":  # one index of n images, an eighth of them with a size that is wrong
    blobs, children = {}, []
    def put(data, media_type, **more):
        blobs["sha256:" + sha(data)] = data
        return {"mediaType": "application/vnd.oci.image." + media_type, "digest": "sha256:" + sha(data), "size": len(data), **more}
    for i in range(n):
        data = small(i)
        parts = {"config": put(config([sha(data)], i).replace(b"amd64", b"cpu%d" % i), "config.v1+json"), "layers": [put(data, "layer.v1.tar")]}
        parts["layers"][0]["size"] += i % 8 == 7
        media = "manifest.v1+json"
        text = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image." + media, **parts}).encode()
        children.append(put(text, media, platform={"architecture": "cpu%d" % i, "os": "linux"}))
    text = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children}).encode()
    top = put(text, "index.v1+json", annotations={"org.opencontainers.image.ref.name": "many"})
    out = Out(path)
    out.add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    out.add("index.json", json.dumps({"schemaVersion": 2, "manifests": [top]}).encode())
    for digest, data in blobs.items():
        out.add("blobs/" + digest.replace(":", "/"), data)
    out.tar.close()
elif kind == "entries":
    docker_archive(path, [[layer(("usr/share/dir%d/name%d" % (i // 100, i), b"") for i in range(n))]])
elif kind in ("blobs", "storage"):  # registry storage: a tenth as many images as blobs, most layers shared by all; or
    # n images of three blobs each, nothing shared
    root = path + "/docker/registry/v2"
    def put(name, data):
        os.makedirs(os.path.dirname(root + "/" + name), exist_ok=True)
        with open(root + "/" + name, "wb") as file:
            file.write(data)
    def blob(data, repository, below):
        hexa = sha(data)
        put("blobs/sha256/%s/%s/data" % (hexa[:2], hexa), data)
        put("repositories/%s/%s/sha256/%s/link" % (repository, below, hexa), ("sha256:" + hexa).encode())
        return hexa
    images = n if kind == "storage" else n // 10
    plain = [small(i) for i in range(images)]
    packed = [gzip.compress(data, 1, mtime=0) for data in plain]
    for i in range(images):
        # Seven blobs are of others or nobody's, as after years of pushes.
        repository = "lab/app%d" % (i % 100)
        mine = [i] if kind == "storage" else [0, 1 % len(plain), i]
        text = config([sha(plain[j]) for j in mine], i)
        for j in set(mine):
            blob(packed[j], repository, "_layers")
        blob(text, repository, "_layers")
        for j in range(0 if kind == "storage" else 7):
            data = b"left %d %d" % (i, j)
            hexa = sha(data)
            put("blobs/sha256/%s/%s/data" % (hexa[:2], hexa), data)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + sha(text), "size": len(text)},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + sha(packed[j]), "size": len(packed[j])} for j in mine]}).encode()
        hexa = blob(manifest, repository, "_manifests/revisions")
        put("repositories/%s/_manifests/tags/v%d/current/link" % (repository, i), ("sha256:" + hexa).encode())
        put("repositories/%s/_manifests/tags/v%d/index/sha256/%s/link" % (repository, i, hexa), ("sha256:" + hexa).encode())
END

# ---- Curves: KIND, the sizes, the prefix of the place. Each command runs on each size.
curves=(
    "size 100 400 1600 docker-archive MB of one layer"
    "layers 62 250 1000 docker-archive layers of one image"
    "images 250 1000 4000 docker-archive images in one archive"
    "references 1000 4000 16000 docker-archive names of one image"
    "platforms 250 1000 4000 oci-archive platforms of one index"
    "findings 250 1000 4000 docker-archive images with two faults each"
    "entries 62500 250000 1000000 docker-archive entries of one layer"
    "blobs 6250 25000 100000 registry-storage blobs of a registry storage"
    "storage 1250 5000 20000 registry-storage images of a registry storage"
)
python3 "$work/make.py" layers 1 "$work/smallest"
declare -A floor
made=0
run_one() { # COMMAND PLACE: sets cpu and peak; the better of two, as the machine does other things too
    local best= command
    for _ in 1 2; do
        # Always a new name, removed at the end: ext4 takes seconds to use inodes again that were freed just now.
        made=$((made + 1))
        case $1 in
            inspect) command=(inspect "$2") ;;
            check) command=(check -q "$2") ;;
            "to oci") command=(convert -q "$2" "oci:$work/out-$made") ;;
            "to docker-archive") command=(convert -q "$2" "docker-archive:$work/out-$made") ;;
        esac
        if [[ -n $counted ]]; then # which repeat
            valgrind --tool=callgrind --callgrind-out-file=/dev/null "$restow" "${command[@]}" --jobs 1 >"$log" 2>&1 || (($? < 2))
            cpu=$(($(sed -n 's/.*Collected *: *//p' "$log") / 1000)) peak=0
            return
        fi
        # Notes and warnings about so odd an image are not the point.
        measure bash -c '"$@"; (($? < 2))' - "$restow" "${command[@]}"
        [[ $kind == size ]] && rm -rf "$work/out-$made"
        [[ -n $best ]] && ((best < cpu)) && cpu=$best
        best=$cpu
    done
}
kind=
commands=(inspect check "to oci" "to docker-archive")
for command in "${commands[@]}"; do
    run_one "$command" "docker-archive:$work/smallest"
    floor[$command]=$cpu
done
unit='CPU seconds (peak MB)'
[[ -z $counted ]] || unit="billion instructions ($(valgrind --version))"
echo "$(date -u +%F), $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $unit"
echo
echo "| what grows | command | small | middle | large | exponent | |"
echo "|---|---|---|---|---|---|---|"
failed=0
for curve in "${curves[@]}"; do
    read -r kind one two three form label <<<"$curve"
    [[ -z $only || $kind == "$only" ]] || continue
    [[ -z $counted || $kind != size ]] || continue
    for n in "$one" "$two" "$three"; do python3 "$work/make.py" "$kind" "$n" "$work/$n"; done
    for command in "${commands[@]}"; do
        # What is at fault is refused once it was checked.
        [[ $command != to* || ! $kind =~ ^(platforms|findings)$ ]] || continue
        cells= points=
        for n in "$one" "$two" "$three"; do
            run_one "$command" "$form:$work/$n"
            cells+=" $n: $(awk "BEGIN { printf \"%.3f (%d)\", $cpu / 1e6, $peak / 1024 }") |"
            points+="$n $((cpu - floor[$command])) "
        done
        # Least squares in logarithms, of what is more than a few milliseconds.
        exponent=$(awk -v p="$points" 'BEGIN { k = split(p, v, " ")
            for (i = 1; i < k; i += 2) if (v[i + 1] >= 4000) { x = log(v[i]); y = log(v[i + 1]); n++; sx += x; sy += y; sxx += x * x; sxy += x * y }
            if (n < 2) print "–"; else printf "%.2f", (n * sxy - sx * sy) / (n * sxx - sx * sx) }')
        word=ok
        if [[ $exponent != – ]] && awk "BEGIN { exit !($exponent > $most) }"; then word="**above $most**" failed=1; fi
        echo "| $label | $command |$cells $exponent | $word |"
    done
    rm -rf "${work:?}/$one" "${work:?}/$two" "${work:?}/$three"
done
exit "$failed"

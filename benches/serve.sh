#!/usr/bin/env bash
# `restow serve` beside Debian's docker-registry: how fast many clients are sent the layers of one image.
#
#   benches/serve.sh                     a few minutes on two cores
#   benches/serve.sh --clients 50        other numbers of clients (default 200)
#   benches/serve.sh --dir /dev/shm      work in another directory (default $TMPDIR or /tmp)
#
# Makes an image of ten layers of random bytes (SIZE_MB in all, 1000 if not given), as registry storage for docker-registry and
# as one OCI tar for restow. Every client is sent one layer, all at once, by one curl that throws the bytes away; both
# servers in turn, three rounds, medians. restow hashes each blob while it goes out, docker-registry does not. Tells what
# went out by the second and the peak memory of each server. Needs docker-registry, curl, python3. RESTOW_BIN overrides the
# binary; without it target/release/restow is built.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=benches/lib.sh
source benches/lib.sh

clients=200 base=${TMPDIR:-/tmp}
while (($#)); do
    case $1 in
        --clients) clients=$2 ;;
        --dir) base=$2 ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    esac
    shift 2
done
need docker-registry curl python3
restow_to_measure
work=$(mktemp -d "$base/restow-serve-XXXXXX")
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 - "${SIZE_MB:-1000}" <<'PY'
import hashlib, io, json, os, sys, tarfile
size = int(sys.argv[1]) * 100_000
os.makedirs("layout/blobs/sha256")
def put(data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    open(f"layout/blobs/sha256/{digest}", "wb").write(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
layers = []
for number in range(10):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        entry = tarfile.TarInfo(f"file-{number}")
        entry.size = size
        tar.addfile(entry, io.BytesIO(os.urandom(size)))
    layers.append(put(out.getvalue(), "application/vnd.oci.image.layer.v1.tar"))
config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}}
config = put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
kind = "application/vnd.oci.image.manifest.v1+json"
manifest = put(json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}).encode(), kind)
manifest["annotations"] = {"io.containerd.image.name": "docker.io/bench/app:1", "org.opencontainers.image.ref.name": "1"}
json.dump({"schemaVersion": 2, "manifests": [manifest]}, open("layout/index.json", "w"))
json.dump({"imageLayoutVersion": "1.0.0"}, open("layout/oci-layout", "w"))
open("digests", "w").write("\n".join(layer["digest"] for layer in layers))
PY
"$restow" convert --quiet oci:layout registry-storage:storage
"$restow" convert --quiet oci:layout oci-archive:app.tar
rm -r layout

printf 'version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: 127.0.0.1:0\n' "$work/storage" >registry.yml
docker-registry serve registry.yml >registry.log 2>&1 &
servers+=($!)
"$restow" serve --listen 127.0.0.1:0 oci-archive:app.tar 2>restow.log &
servers+=($!)
address() { # LOG PATTERN
    for _ in {1..600}; do
        grep -o "$2[0-9.:]*" "$1" 2>/dev/null | grep -o '[0-9.]*:[0-9]*$' && return
        sleep 0.1
    done
    cat "$1" >&2
    exit 1
}
theirs=$(address registry.log 'listening on ')
ours=$(address restow.log 'serving http://')

fetch() { # ADDRESS: bytes a second
    local urls=() digests began ended bytes
    mapfile -t digests <digests
    for ((n = 0; n < clients; n++)); do
        urls+=(-o /dev/null "http://$1/v2/bench/app/blobs/${digests[n % 10]}")
    done
    began=${EPOCHREALTIME/./}
    curl --silent --no-progress-meter --fail --parallel --parallel-immediate --parallel-max "$clients" "${urls[@]}" >/dev/null 2>&1
    bytes=$((clients * ${SIZE_MB:-1000} * 100000))
    ended=${EPOCHREALTIME/./}
    echo $((bytes * 1000 / ((ended - began) / 1000)))
}
for round in 1 2 3; do
    fetch "$theirs" >>theirs
    fetch "$ours" >>ours
done
peak() { awk '/VmHWM/ { print int($2 / 1000) }' "/proc/$1/status"; }
t=$(sort -n theirs | sed -n 2p) o=$(sort -n ours | sed -n 2p)
echo "| $clients clients, one layer of $((${SIZE_MB:-1000} / 10)) MB each | restow serve | docker-registry $(docker-registry --version | grep -o '[0-9]\+\.[0-9.]*[0-9]' | head -1) | ratio |"
echo "|---|---|---|---|"
echo "| sent | $((o / 1000000)) MB/s | $((t / 1000000)) MB/s | $(awk "BEGIN { printf \"%.2f\", $o / $t }") |"
echo "| peak memory | $(peak "${servers[1]}") MB | $(peak "${servers[0]}") MB | |"

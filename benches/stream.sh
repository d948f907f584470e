#!/usr/bin/env bash
# Time, memory and bytes written for an image of 1 GB or more, as it is really used:
#
#   docker save big | restow convert - oci:out          at most 100 MB of memory
#   restow convert big.tar oci:out                      at most 64 MB, no temporary copy
#
# Builds the image from this machine's files, starts its own containerd and dockerd, checks the
# results with skopeo and `restow compare`, removes everything, and fails when a limit is broken.
# Needs root, the Debian packages docker.io, containerd and skopeo, and about 12 GB in TMPDIR.
# RESTOW_BIN names another binary than target/release/restow; SIZE_MB another size.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=benches/lib.sh
source benches/lib.sh

size_mb=${SIZE_MB:-1100}
work=$(mktemp -d "${TMPDIR:-/tmp}/restow-stream-XXXXXX")
pids=()
finish() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
# What a signal ends, ends through `finish` too.
trap 'exit 130' INT TERM

restow_to_measure
docker() { /usr/bin/docker --host "unix://$work/docker.sock" "$@"; }

# ---- An image of three layers: real files, in a hand-made archive.
echo "building an image of $size_mb MB or more from /usr ..."
mkdir "$work/image"
layer() { # NAME: $work/layer becomes one
    local hex
    mv "$work/layer" "$work/image/$1.tar"
    hex=$(sha256sum "$work/image/$1.tar")
    diff_ids+=("\"sha256:${hex%% *}\"")
    names+=("\"$1.tar\"")
}
megabytes() { echo $(($(du -sm "$work/image" | cut -f1))); }
diff_ids=() names=()
# Half of the size in each of two layers, as far as /usr goes.
find /usr -xdev -type f -printf '%s /%P\n' | LC_ALL=C sort -k 2 | awk -v half="$((size_mb * 524288))" -v to="$work/list" '
    { total += $1; if (total > 2 * half) next
      print "usr" substr($0, index($0, " ") + 1) > (to (total > half ? 2 : 1)) }'
touch "$work/list1" "$work/list2"
for n in 1 2; do
    tar -C / --no-recursion --files-from "$work/list$n" -cf "$work/layer"
    layer "files$n"
done
lacking=$((size_mb - $(megabytes)))
mkdir "$work/pad"
# What does not compress, so that gzip has the most to do.
head -c "$(((lacking > 64 ? lacking : 64)))M" /dev/urandom >"$work/pad/random"
tar -C "$work/pad" -cf "$work/layer" random
layer random
rm -r "$work/pad"
printf '{"architecture":"amd64","config":{"Cmd":["/bin/sh"]},"created":"2024-01-02T03:04:05Z","os":"linux","rootfs":{"diff_ids":[%s],"type":"layers"}}' \
    "$(join "${diff_ids[@]}")" >"$work/image/config.json"
printf '[{"Config":"config.json","RepoTags":["lab/big:1"],"Layers":[%s]}]' "$(join "${names[@]}")" \
    >"$work/image/manifest.json"
id=$(sha256sum "$work/image/config.json")
id=sha256:${id%% *}
echo "image $id, $(megabytes) MB"

# ---- The daemon that saves it.
cat >"$work/containerd.toml" <<END
version = 2
root = "$work/containerd"
state = "$work/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$work/containerd.sock"
END
echo '{}' >"$work/docker.json"
/usr/bin/containerd --config "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
pids=($!)
/usr/sbin/dockerd --iptables=false --ip6tables=false --ip-forward=false --bridge=none --storage-driver=vfs \
    --config-file "$work/docker.json" --data-root "$work/docker" --exec-root "$work/docker-exec" \
    --pidfile "$work/docker.pid" --containerd "$work/containerd.sock" \
    --host "unix://$work/docker.sock" >"$work/docker.log" 2>&1 &
# The one that depends on the other goes first.
pids=($! "${pids[@]}")
for _ in {1..300}; do
    docker version >/dev/null 2>&1 && break
    sleep 0.1
done
tar -C "$work/image" -cf - . | docker load
rm -r "$work/image"
[[ $(docker image inspect --format '{{.Id}}' lab/big:1) == "$id" ]]

# ---- Measuring. python3's wait4 gives what /usr/bin/time gives, where that is not installed.
failed=0
measured() { # LABEL MAX_MB COMMAND...: not behind a pipe, which is a subshell; sets $written to the bytes written, in MB
    local label=$1 max=$2 kb seconds blocks
    shift 2
    mkdir -p "$work/tmp"
    if [[ -x /usr/bin/time ]]; then
        TMPDIR=$work/tmp /usr/bin/time -o "$work/figures" -f '%M %e %O' "$@"
    else
        TMPDIR=$work/tmp python3 - "$work/figures" "$@" 3<&0 <<'END'
import os, sys, time
began = time.time()
child = os.fork()
if child == 0:
    os.dup2(3, 0)
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as out:
    print(usage.ru_maxrss, round(time.time() - began, 2), usage.ru_oublock, file=out)
sys.exit(os.waitstatus_to_exitcode(status))
END
    fi
    read -r kb seconds blocks <"$work/figures"
    written=$((blocks / 2048))
    printf '%-28s peak memory %4d MB (at most %3d)   %6.1f s   %5d MB written\n' \
        "$label" "$((kb / 1024))" "$max" "$seconds" "$written"
    ((kb / 1024 < max)) || { echo "too much memory"; failed=1; }
}
# Blocks that were written beside the result are a temporary copy, unlinked or not.
no_copy() { # LABEL RESULT
    local result
    result=$(du -sm --apparent-size "$2" | cut -f1)
    if ((written > result + result / 50 + 16)); then
        echo "$1: $written MB were written for a result of $result MB: a temporary copy"
        failed=1
    fi
}
holds_image() { # PLACE
    local found
    found=$(/usr/bin/skopeo inspect --config --raw "$1" | sha256sum)
    [[ sha256:${found%% *} == "$id" ]] || { echo "$1: another image ID"; failed=1; }
    # skopeo hashes every blob that it copies.
    /usr/bin/skopeo copy --quiet --preserve-digests "$1" "dir:$work/skopeo"
    rm -r "$work/skopeo"
}

measured "docker save | oci:" 100 "$restow" convert -q - "oci:$work/piped" < <(docker save lab/big:1)
no_copy "docker save | oci:" "$work/piped"
docker save --output "$work/big.tar" lab/big:1
holds_image "oci:$work/piped:1"
"$restow" compare "$work/big.tar" "oci:$work/piped"

measured "file | oci:" 64 "$restow" convert -q "$work/big.tar" "oci:$work/out" </dev/null
no_copy "file | oci:" "$work/out"
"$restow" compare "oci:$work/piped" "oci:$work/out"
rm -r "$work/piped"

measured "file | docker-archive:" 64 "$restow" convert -q "$work/big.tar" "docker-archive:$work/out.tar" </dev/null
no_copy "file | docker-archive:" "$work/out.tar"
"$restow" compare "$work/big.tar" "$work/out.tar"
rm "$work/out.tar"

measured "oci: | oci: gzip" 128 "$restow" convert -q --compress gzip "oci:$work/out" "oci:$work/gzip" </dev/null
holds_image "oci:$work/gzip:1"

left=$(find "$work/tmp" -mindepth 1 | wc -l)
((left == 0)) || { echo "$left files were left in TMPDIR"; failed=1; }
((failed == 0)) && echo "all limits hold"
exit "$failed"

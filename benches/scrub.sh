#!/usr/bin/env bash
# A scrub of a whole storage: time, CPU and peak memory at growing sizes, the size of the state, and the exponents; and how
# it compares with `find` and `sha256sum` over the same blobs.
#
#   benches/scrub.sh                     storages of 10,000 and 100,000 blobs, 200 in each repository
#   benches/scrub.sh 10000 100000 1000000
#   benches/scrub.sh --beside            beside find and sha256sum: 2,000 blobs of 1 MiB, half of them gzip
#
# Storages are made below $TMPDIR and removed at the end: each blob takes a file and a folder, and as many for its link, so
# a million takes 16 GB of ext4 and 4 million inodes. RESTOW_BIN overrides the binary, which is built otherwise. Needs python3
# and GNU time. CPU and memory repeat; wall time is the disk's and the neighbours'.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=benches/lib.sh
source benches/lib.sh
need python3 /usr/bin/time
if [[ -z ${RESTOW_BIN:-} ]]; then
    cargo build --locked --release --quiet
    RESTOW_BIN=${CARGO_TARGET_DIR:-target}/release/restow
fi
restow=$(realpath "$RESTOW_BIN")
make=$PWD/benches/storage.py
work=$(mktemp -d "${TMPDIR:-/tmp}/restow-scrub-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

measure() { # FILE COMMAND…: wall, user and system seconds and KB
    local file=$1
    shift
    /usr/bin/time -f '%e %U %S %M' -o "$file" "$@" >/dev/null
}

if [[ ${1:-} == --beside ]]; then
    python3 "$make" --large "$work/storage" 2000
    find "$work/storage" -name data -print0 | xargs -0 cat >/dev/null # warm
    measure "$work/a" sh -c 'find "$1" -name data -print0 | xargs -0 sha256sum' - "$work/storage"
    measure "$work/b" "$restow" scrub --quiet "registry-storage:$work/storage"
    read -r wall user system memory <"$work/a"
    echo "find | sha256sum   $wall s wall, $user + $system s CPU, $memory KB"
    read -r wall2 user system memory <"$work/b"
    echo "restow scrub       $wall2 s wall, $user + $system s CPU, $memory KB"
    python3 -c "print(f'wall ratio         {$wall2 / $wall:.2f}')"
    exit
fi
sizes=("$@")
((${#sizes[@]})) || sizes=(10000 100000)
printf '%9s %9s %9s %9s %9s %12s %14s %14s\n' blobs wall CPU peak again state 'CPU exponent' 'peak exponent'
before=''
for size in "${sizes[@]}"; do
    python3 "$make" "$work/storage" "$size"
    measure "$work/a" "$restow" scrub --quiet --state "$work/state" "registry-storage:$work/storage"
    measure "$work/b" "$restow" scrub --quiet --state "$work/state" "registry-storage:$work/storage"
    read -r wall user system memory <"$work/a"
    read -r again _ <"$work/b"
    state=$(stat -c %s "$work/state")
    python3 - "$size" "$wall" "$user" "$system" "$memory" "$again" "$state" "$before" <<'PY'
import math, sys
size, wall, user, system, memory, again, state = map(float, sys.argv[1:8])
cpu, before = user + system, sys.argv[8].split()
exponents = ["", ""]
if before:
    old = list(map(float, before))
    steps = math.log(size / old[0])
    exponents = [f"{math.log(cpu / old[1]) / steps:.2f}", f"{math.log(memory / old[2]) / steps:.2f}"]
print(f"{size:9.0f} {wall:7.1f} s {cpu:7.1f} s {memory / 1024:6.0f} MB {again:7.1f} s {state / 2**20:9.0f} MB", *(f"{e:>14}" for e in exponents))
PY
    before="$size $(python3 -c "print($user + $system)") $memory"
    rm -rf "$work/storage" "$work/state"
done

#!/usr/bin/env bash
# A scrub of a whole storage: time, CPU and peak memory at growing sizes, the size of the state, and the exponents; and how
# it compares with `find` and `sha256sum` over the same blobs.
#
#   benches/scrub.sh                     storages of 10,000 and 100,000 blobs, 200 in each repository
#   benches/scrub.sh 10000 100000 1000000
#   benches/scrub.sh --layouts 10000     the same of a folder of layouts, a layout for each repository
#   benches/scrub.sh --parts 100000      one storage singly, in 4 parts, and in 7 of which two are killed and go on: the reports of
#                                        all three must be the same, byte for byte; --parts --layouts 100000 of layouts
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

measure() { # FILE COMMAND…: wall, user and system seconds and KB. A fault that is found is no failure, and neither is a kill.
    local file=$1 status=0
    shift
    /usr/bin/time -f '%e %U %S %M' -o "$file" "$@" >/dev/null || status=$?
    tail -1 "$file" >"$file.last"
    mv "$file.last" "$file"
    ((status < 2 || status == 137))
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
parts=no kind=registry-storage
if [[ ${1:-} == --parts ]]; then parts=yes; shift; fi
layouts=()
if [[ ${1:-} == --layouts ]]; then layouts=(--layouts) kind=oci; shift; fi

# Scrubs parts of $work/storage, some of them killed after so many seconds and begun again, joins them, and says what it took.
in_parts() { # PARTS SECONDS KILLED...
    local count=$1 after=$2 i states=() proved again
    shift 2
    rm -f "$work"/*.time
    for ((i = 0; i < count; i++)); do
        states+=("$work/part-$i.db")
        if [[ " $* " == *" $i "* ]]; then
            measure "$work/killed-$i.time" timeout --signal KILL "$after" \
                "$restow" scrub --quiet --shard "$i/$count" --state "$work/part-$i.db" "$kind:$work/storage"
            proved=$("$restow" scrub status --json "$work/part-$i.db" | jq '.sound + .wrong')
            measure "$work/part-$i.time" \
                "$restow" scrub --shard "$i/$count" --state "$work/part-$i.db" "$kind:$work/storage" 2>"$work/said"
            echo "part $i/$count was killed after $after s with $proved blobs proved, and then: $(head -1 "$work/said")"
        else
            measure "$work/part-$i.time" "$restow" scrub --quiet --shard "$i/$count" --state "$work/part-$i.db" "$kind:$work/storage"
        fi
    done
    measure "$work/merge.time" "$restow" scrub merge --quiet --report "json=$work/$count.json" "${states[@]}"
    python3 - "$count" "$work" "${states[@]}" <<'PY'
import glob, os, sys
count, work, states = sys.argv[1], sys.argv[2], sys.argv[3:]
def read(name):
    return list(map(float, open(name).read().split()))
runs = [read(name) for name in glob.glob(f"{work}/part-*.time") + glob.glob(f"{work}/killed-*.time")]
merge = read(f"{work}/merge.time")
sizes = sum(map(os.path.getsize, states))
print(f"{count} parts: {sum(r[1] + r[2] for r in runs):.1f} s CPU, {sum(r[0] for r in runs):.1f} s one after the other,"
      f" the longest {max(r[0] for r in runs):.1f} s, peak {max(r[3] for r in runs) / 1024:.0f} MB, states {sizes / 2**20:.0f} MB;"
      f" joined in {merge[0]:.1f} s, {merge[1] + merge[2]:.1f} s CPU, {merge[3] / 1024:.0f} MB")
PY
    rm -f "${states[@]}"
}

if [[ $parts == yes ]]; then
    need jq timeout
    python3 "$make" "${layouts[@]}" "$work/storage" "${1:-100000}"
    # One blob in 2,500 is flipped or gone.
    find "$work/storage" -path '*/blobs/sha256/*' -type f | LC_ALL=C sort | awk 'NR % 2500 == 17' >"$work/damaged"
    awk 'NR % 2' "$work/damaged" | xargs -r rm
    awk 'NR % 2 == 0' "$work/damaged" | while read -r file; do printf x | dd of="$file" bs=1 seek=3 conv=notrunc status=none; done
    measure "$work/a" "$restow" scrub --quiet --state "$work/state" --report "json=$work/1.json" "$kind:$work/storage"
    read -r wall user system memory <"$work/a"
    echo "single: $(python3 -c "print(f'{$user + $system:.1f} s CPU, $wall s wall, {$memory / 1024:.0f} MB, state {$(stat -c %s "$work/state") / 2**20:.0f} MB')")"
    rm "$work/state"
    in_parts 4 0
    in_parts 7 "${RESTOW_KILL_AFTER:-3}" 2 5
    cmp "$work/1.json" "$work/4.json"
    cmp "$work/1.json" "$work/7.json"
    echo "the reports of all three are the same, $(stat -c %s "$work/1.json") bytes"
    exit
fi
sizes=("$@")
((${#sizes[@]})) || sizes=(10000 100000)
printf '%9s %9s %9s %9s %9s %12s %14s %14s\n' blobs wall CPU peak again state 'CPU exponent' 'peak exponent'
before=''
for size in "${sizes[@]}"; do
    python3 "$make" "${layouts[@]}" "$work/storage" "$size"
    measure "$work/a" "$restow" scrub --quiet --state "$work/state" "$kind:$work/storage"
    measure "$work/b" "$restow" scrub --quiet --state "$work/state" "$kind:$work/storage"
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

#!/usr/bin/env bash
# Builds the fuzz targets and runs each for some seconds from the corpus and what earlier runs found.
#
#     fuzz/run.sh [SECONDS] [TARGET...]
#
# 20 seconds and all targets if not given; `fuzz/run.sh 3600` is the long run. SEED=N makes runs alike: so CI does not
# fail by chance on what has nothing to do with a change. Crashes are left in fuzz/artifacts, what
# reaches new code in fuzz/found; both are ignored by git. It needs no nightly compiler and no cargo-fuzz, whose
# `cargo fuzz run TARGET` works on the same targets.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-20}
shift || true
targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(cd fuzz_targets && ls | sed 's/\.rs$//')

host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build -q --locked --release --target "$host" --bins
built=${CARGO_TARGET_DIR:-target}/$host/release

# Small files of the corpus: what a target takes is said by its module.
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
number=0
while IFS= read -r -d '' file; do
    number=$((number + 1))
    cp "$file" "$seeds/$number-$(basename "$file")"
done < <(find ../corpus -type f \( -name '*.tar' -o -name '*.json' -o -name 'data' \) -size -64k -print0)

failed=0
for target in "${targets[@]}"; do
    mkdir -p "found/$target" "artifacts/$target"
    log=artifacts/$target.log
    # The program's own output would drown the fuzzer's.
    if ! "$built/$target" "found/$target" "$seeds" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 \
        -seed="${SEED:-0}" -max_len=65536 -dict=words.dict -artifact_prefix="artifacts/$target/" -print_final_stats=1 \
        -close_fd_mask=1 -verbosity=1 2>"$log.all" >/dev/null; then
        failed=1
        grep -a -m1 -A12 "panicked at\|ERROR: libFuzzer\|SUMMARY" "$log.all" | head -40 >&2 || true
    fi
    grep -a '^#.*cov:\|^stat::' "$log.all" | tail -8 >"$log" || true
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
    coverage=$(grep -ao 'cov: [0-9]*' "$log" | tail -1) || true
    echo "$target: ${executions:-0} executions in $seconds s, ${coverage:-cov: ?}, peak ${peak:-?} MB, $(find "artifacts/$target" -type f | wc -l) crashes"
    rm -f "$log.all"
done
exit $failed

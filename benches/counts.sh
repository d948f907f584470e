#!/usr/bin/env bash
# Instructions of the commonest commands on fixed inputs, which no neighbour on the machine can change, beside the
# figures recorded in benches/counts.tsv; and how long the smallest commands take.
#
#   benches/counts.sh                  the table, a minute; exits 1 when a command needs 2 % more than was recorded
#   benches/counts.sh --record         write benches/counts.tsv anew: with the change that is the reason
#   benches/counts.sh --dev            the program that the tests run, as CI does: it is built anyway, while the optimised
#                                      one takes minutes; 10 % are let pass, and the clock is not asked
#   benches/counts.sh --only convert   only rows whose name holds the word
#
# One job, so that counts repeat: they vary by less than 0.1 %. Valgrind knows no SHA instructions, so hashing counts for
# more here than it takes. Figures belong to a compiler, a valgrind and inputs: under others the table is printed and
# nothing is judged, except by the clock. Needs valgrind and python3. RESTOW_BIN overrides the binary, which is built
# otherwise. Columns of counts.tsv: command, thousand instructions of the release build, and of the dev build.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=benches/lib.sh
source benches/lib.sh

profile=release column=2
tolerance=2 # percent
most_ms=5   # for the smallest commands
record='' only=''
while (($#)); do
    case $1 in
        --record) record=yes ;;
        # Nothing is inlined there: how code is cut into functions counts as well as what it does.
        --dev) profile=dev column=3 tolerance=10 ;;
        --only) only=$2 && shift ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    esac
    shift
done
[[ -z $record || -z $only ]] || { echo "--record takes all rows" >&2; exit 2; }
need valgrind python3
if [[ -z ${RESTOW_BIN:-} ]]; then
    cargo build --locked --profile "$profile" --quiet
    RESTOW_BIN=${CARGO_TARGET_DIR:-target}/${profile/dev/debug}/restow
fi
restow=$(realpath "$RESTOW_BIN")
figures=$PWD/benches/counts.tsv
corpus=$PWD/corpus/good
small=$corpus/docker-archive/skopeo/archive.tar document=$corpus/document/schema1/document.json
work=$(mktemp -d "${TMPDIR:-/tmp}/restow-counts-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
inputs=$({ python3 benches/inputs.py "$work" && cat "$small" "$document"; } | sha256sum | head -c 16)
under="$(rustc --version | cut -d' ' -f1,2), $(valgrind --version), inputs $inputs"
was=$(sed -n 's/^# //p' "$figures" 2>/dev/null || true)
cd "$work"

names=() commands=()
row() { # NAME ARGUMENTS
    [[ -z $only || $1 == *"$only"* ]] || return 0
    names+=("$1") commands+=("$2")
}
row "version" "--version"
row "inspect: small archive" "inspect $small"
row "inspect: 300 images" "inspect many.tar"
row "check: document" "check $document"
row "check: docker-archive" "check image.tar"
row "check: OCI, gzip" "check oci:oci"
row "check: 300 images" "check many.tar"
row "convert: docker-archive to OCI" "convert docker-archive:image.tar oci:out"
row "convert: the same, gzip" "convert --compress gzip docker-archive:image.tar oci:out"
row "convert: the same, zstd" "convert --compress zstd docker-archive:image.tar oci:out"
row "convert: OCI to docker-archive, plain" "convert --compress none oci:oci docker-archive:out"
row "convert: OCI to a tar, kept" "convert oci:oci oci-archive:out"

jobs() { [[ $1 == --version ]] || echo --jobs 1; }

# Findings are notes at most: exit 0. The environment is part of a process, and its size of the count.
run() { # PREFIX ARGUMENTS
    # shellcheck disable=SC2046,SC2086
    env -i PATH=/usr/bin LANG=C $1 "$restow" $2 $(jobs "$2") >out.txt 2>log || { echo "failed: $2" >&2; tail -5 log out.txt >&2; exit 1; }
    rm -rf out
}

failed=0
[[ $was == "$under" || -n $record ]] || echo "nothing is judged: recorded under $was; this is $under"
echo "| command | thousand instructions | recorded | |"
echo "|---|---|---|---|"
recorded=
for i in "${!names[@]}"; do
    run "valgrind --tool=callgrind --callgrind-out-file=/dev/null" "${commands[i]}"
    count=$(sed -n 's/.*Collected *: *//p' log)
    before=$(awk -F'\t' -v n="${names[i]}" -v c="$column" '$1 == n { print $c }' "$figures" 2>/dev/null || true)
    other=$(awk -F'\t' -v n="${names[i]}" -v c="$((5 - column))" '$1 == n { print $c }' "$figures" 2>/dev/null || true)
    [[ $was == "$under" ]] || other= # of another compiler: to be recorded too
    pair=$((count / 1000))$'\t'$other
    ((column == 2)) || pair=$other$'\t'$((count / 1000))
    recorded+=${names[i]}$'\t'$pair$'\n'
    if [[ -z $before || -n $record ]]; then
        echo "| ${names[i]} | $((count / 1000)) | ${before:-–} | |"
        [[ -n $before || -n $record || $was != "$under" ]] || failed=1 # a row without a figure guards nothing
        continue
    fi
    percent=$(awk -v a="$count" -v b="$before" 'BEGIN { printf "%+.2f", (a / 1000 / b - 1) * 100 }')
    word=
    if [[ $was == "$under" ]]; then
        if awk -v p="$percent" -v t="$tolerance" 'BEGIN { exit !(p > t) }'; then word=' **worse**' failed=1; fi
        awk -v p="$percent" -v t="$tolerance" 'BEGIN { exit !(p < -t) }' && word=' better: record it'
    fi
    echo "| ${names[i]} | $((count / 1000)) | $before | $percent %$word |"
done
[[ -z $record ]] || printf '# %s\n%s' "$under" "$recorded" >"$figures"
[[ $profile == release ]] || exit "$failed"

# ---- What nobody should wait for: the quickest of forty runs, which neighbours disturbed least. Without a shell, whose
# fork takes as long as the program.
echo
echo "| command | ms | at most | |"
echo "|---|---|---|---|"
for i in "${!names[@]}"; do
    case ${names[i]} in version | "inspect: small archive" | "check: document") ;; *) continue ;; esac
    # shellcheck disable=SC2086
    best=$(python3 - "$restow" ${commands[i]} <<'PY'
import os, sys, time
nothing = os.open("/dev/null", os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, nothing, 1), (os.POSIX_SPAWN_DUP2, nothing, 2)]
def run():
    began = time.perf_counter()
    _, status = os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions), 0)
    assert status == 0, sys.argv
    return time.perf_counter() - began
print("%.2f" % (min(run() for _ in range(40)) * 1000))
PY
)
    word=ok
    if awk -v b="$best" -v m="$most_ms" 'BEGIN { exit b <= m }'; then word='**missed**' failed=1; fi
    echo "| ${names[i]} | $best | $most_ms | $word |"
done
exit "$failed"

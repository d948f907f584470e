#!/usr/bin/env bash
# Sizes and times of pages with 10, 100 and 1,000 layers and findings, as docs/pages.md tells them: the page's bytes, the check
# without and with it (the median of five), and a browser that shows it.
#
#     tests/pages/measure.sh [RESTOW]
#
# RESTOW is the program, target/release/restow if not given. tests/pages/check.sh must have run once: it installs what is needed.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
restow=$(realpath "${1:-$target/release/restow}")
tools=$(realpath "$target/page-tools")
here=$PWD/tests/pages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 tests/pages/make.py "$work" measure
cd "$work"

# The median of five runs in milliseconds.
median() {
    local run began
    for run in 1 2 3 4 5; do
        began=${EPOCHREALTIME/./}
        "$restow" check "$@" >/dev/null 2>&1 || [[ $? == 1 ]]
        echo $(((${EPOCHREALTIME/./} - began) / 1000))
    done | sort -n | sed -n 3p
}

what=(layers-10 layers-60 layers-100 layers-1000 findings-10 findings-100 findings-300 findings-1000)
for name in "${what[@]}"; do
    alone=$(median "oci:$name" --report json=report.json)
    with=$(median "oci:$name" --report json=report.json --report "html=$name.html")
    echo "$name $(stat -c %s "$name.html") $alone $with"
done >sizes
node "$here/measure.mjs" "$tools" "${what[@]/%/.html}" >shown
echo "| Source | Page | Check | With the page | Shown |"
echo "|---|---|---|---|---|"
join <(sort sizes) <(sort shown) | sort -t- -k1,1r -k2n | while read -r name bytes alone with shown; do
    echo "| ${name#*-} ${name%-*} | $((bytes / 1000)) kB | $alone ms | $with ms | $shown ms |"
done

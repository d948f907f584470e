#!/usr/bin/env bash
# An image FROM scratch of a static restow, made by that restow: a folder as `docker save` wrote it before 25 goes in, with a
# layer and a config; what comes out has manifests and an index, computed by restow, and is loaded by Docker, containerd
# and podman.
#
#     packaging/image.sh RESTOW FILE
#
# The same program gives the same digests: the time is SOURCE_DATE_EPOCH, 0 if that is not set.
set -euo pipefail
cd "$(dirname "$0")/.."
restow=$(realpath "$1")
file=$(realpath -m "$2")
time=${SOURCE_DATE_EPOCH:-0}
version=$("$restow" --version | sed -n '1s/^restow //p')
commit=$("$restow" --version | sed -n 's/^commit *//p')
created=$(date -u -d "@$time" +%Y-%m-%dT%H:%M:%SZ)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Spools go to /tmp; /work is where archives are mounted.
mkdir -p "$work"/root/{usr/bin,usr/share/doc/restow,tmp,work} "$work/saved"
install -m 755 "$restow" "$work/root/usr/bin/restow"
install -m 644 LICENSE-APACHE LICENSE-MIT "$work/root/usr/share/doc/restow/"
chmod 755 "$work/root" "$work"/root/{usr,usr/bin,usr/share,usr/share/doc,usr/share/doc/restow,work}
chmod 1777 "$work/root/tmp"
tar --format=ustar --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner -C "$work/root" \
    -cf "$work/saved/layer.tar" tmp usr work
layer=$(sha256sum "$work/saved/layer.tar" | cut -d' ' -f1)

cat >"$work/config.json" <<JSON
{"architecture":"amd64","config":{"Env":["PATH=/usr/bin"],"Entrypoint":["/usr/bin/restow"],"Cmd":["--help"],"WorkingDir":"/work","Labels":{"org.opencontainers.image.licenses":"Apache-2.0 OR MIT","org.opencontainers.image.revision":"$commit","org.opencontainers.image.title":"restow","org.opencontainers.image.version":"$version"}},"created":"$created","history":[{"created":"$created","created_by":"COPY restow /usr/bin/restow"}],"os":"linux","rootfs":{"diff_ids":["sha256:$layer"],"type":"layers"}}
JSON
config=$(sha256sum "$work/config.json" | cut -d' ' -f1)
mv "$work/config.json" "$work/saved/$config.json"
printf '[{"Config":"%s.json","RepoTags":["restow:%s"],"Layers":["layer.tar"]}]\n' "$config" "$version" \
    >"$work/saved/manifest.json"
"$restow" convert --quiet --force --check --compress gzip "docker-archive:$work/saved" "docker-archive:$file"

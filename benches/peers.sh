#!/usr/bin/env bash
# restow, skopeo, umoci and plain limits on one image of about 1 GB, as a table with the ratios that must hold.
#
#   benches/peers.sh                     the table, about ten minutes on two cores
#   benches/peers.sh --rounds 5          more rounds (default 3); medians are printed
#   benches/peers.sh --only inspect      only rows whose name holds the word
#   benches/peers.sh --dir /dev/shm      work in another directory (default $TMPDIR or /tmp), such as a tmpfs
#   benches/peers.sh --keep DIR          leave the images in DIR, or use those that an earlier run left there
#
# Makes the image from this machine's own files, uses no network and no privileges, removes what it made, and exits 1
# when a ratio does not hold. The commands run in turn, round by round, so that what else the machine does meets all of
# them alike. Needs skopeo, umoci, openssl, gzip, pigz, zstd, GNU time and about 12 GB. SIZE_MB and RESTOW_BIN override
# the size and the binary; without the latter target/release/restow is built.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=benches/lib.sh
source benches/lib.sh

rounds=3 only='' keep='' base=${TMPDIR:-/tmp}
while (($#)); do
    case $1 in
        --rounds) rounds=$2 ;;
        --only) only=$2 ;;
        --dir) base=$2 ;;
        --keep) keep=$2 ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    esac
    shift 2
done
for tool in skopeo umoci openssl gzip pigz zstd /usr/bin/time; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }
done
work=$(mktemp -d "$base/restow-peers-XXXXXX")
log=$work/log
images=${keep:-$work/images}
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

if [[ -z ${RESTOW_BIN:-} ]]; then
    cargo build --release --quiet
    RESTOW_BIN=${CARGO_TARGET_DIR:-target}/release/restow
fi
restow=$(realpath "$RESTOW_BIN")
mkdir -p "$images"
images=$(realpath "$images")
image=$images/image.tar gz=$images/oci-gzip
if [[ ! -d $gz ]]; then
    make_image "$images" "${SIZE_MB:-1050}" lab/peers:1
    # As registries and other tools hold it.
    skopeo copy --quiet "docker-archive:$image" "oci:$gz:1"
fi

# Commands in the order of running: name, then the command, then what holds its output.
names=() outputs=()
declare -A commands
row() { # NAME OUTPUT COMMAND: OUTPUT is below $work, and removed before and after
    [[ -z $only || $1 == *"$only"* || $1 == limit:* && ${only} == limit ]] || return 0
    names+=("$1") outputs+=("$2")
    commands[$1]=$3
}
umoci_unpack="umoci unpack --image $gz:1 bundle"
((EUID == 0)) || umoci_unpack="umoci unpack --rootless --image $gz:1 bundle"
manifest=$(grep -o 'sha256:[0-9a-f]\{64\}' "$gz/index.json" | head -1)
layers=$(grep -o '"layers":.*' "$gz/blobs/sha256/${manifest#sha256:}" | grep -o 'sha256:[0-9a-f]\{64\}' | sed "s|sha256:|$gz/blobs/sha256/|" | xargs)

row "copy: cp" out "cp $image out"
row "copy: openssl" - "openssl dgst -sha256 $image"
row "copy: skopeo to dir" out "skopeo copy --quiet docker-archive:$image dir:out"
row "copy: restow to oci" out "$restow convert -q docker-archive:$image oci:out"
row "gzip: skopeo" out "skopeo copy --quiet docker-archive:$image oci:out:1"
row "gzip: restow" out "$restow convert -q --compress gzip docker-archive:$image oci:out"
row "gzip: restow gzip:1" out "$restow convert -q --compress gzip:1 docker-archive:$image oci:out"
row "gzip: pigz -6" out "mkdir out; for n in system libraries scripts packed texts settings; do pigz -6 <$images/\$n.tar >out/\$n; done"
row "zstd: skopeo" out "skopeo copy --quiet --dest-compress-format zstd docker-archive:$image oci:out:1"
row "zstd: restow" out "$restow convert -q --compress zstd docker-archive:$image oci:out"
row "zstd: zstd -T0" out "mkdir out; for n in system libraries scripts packed texts settings; do zstd -q -T0 <$images/\$n.tar >out/\$n; done"
row "plain: skopeo" out "skopeo copy --quiet oci:$gz:1 docker-archive:out:lab/peers:1"
row "plain: restow" out "$restow convert -q --compress none oci:$gz docker-archive:out"
row "plain: gzip -dc" out "gzip -dc $layers >out"
row "pack: skopeo" out "skopeo copy --quiet oci:$gz:1 oci-archive:out:1"
row "pack: restow" out "$restow convert -q oci:$gz oci-archive:out"
row "pack: restow, digests only" out "$restow convert -q --verify digests oci:$gz oci-archive:out"
row "check: umoci unpack" bundle "$umoci_unpack"
row "check: gzip and openssl" - "for l in $layers; do gzip -dc \$l | openssl dgst -sha256; done; openssl dgst -sha256 $gz/blobs/sha256/*"
row "check: restow" - "$restow check -q oci:$gz"
row "inspect: restow" - "$restow inspect docker-archive:$image"
row "fsync: restow to oci" out "$restow convert -q --fsync docker-archive:$image oci:out"

# What runs on several threads suffers most from neighbours: then the ratios by CPU time say more.
read -r load _ </proc/loadavg
busy=$(awk -v l="$load" -v n="$(nproc)" 'BEGIN { if (l > n / 2) print ", while the machine was busy (load " l ")" }')

# So that the first round does not read from the disk.
cat "$image" "$gz"/blobs/sha256/* >/dev/null
cd "$work"
for ((round = 1; round <= rounds; round++)); do
    for i in "${!names[@]}"; do
        name=${names[i]} output=${outputs[i]}
        measure bash -c "${commands[$name]}"
        size=0
        [[ $output == out ]] && size=$(du -sb --apparent-size out | cut -f1)
        rm -rf out
        # Of many small files: ext4 takes a minute to use inodes again, at the cost of whoever creates files then.
        if [[ -d bundle ]]; then mv bundle "bundle-$round"; fi
        echo "$wall $cpu $peak $size" >>"$work/row-$i"
        printf '\r%-70s' "round $round of $rounds: $name $((wall / 1000)) ms" >&2
    done
done
printf '\r%-70s\r' '' >&2

# ---- The tables.
declare -A walls cpus peaks sizes
for i in "${!names[@]}"; do
    name=${names[i]}
    walls[$name]=$(cut -d' ' -f1 "$work/row-$i" | median)
    cpus[$name]=$(cut -d' ' -f2 "$work/row-$i" | median)
    peaks[$name]=$(cut -d' ' -f3 "$work/row-$i" | sort -n | tail -1)
    sizes[$name]=$(cut -d' ' -f4 "$work/row-$i" | median)
done
echo "$(date -u +%F), $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(stat -f -c %T "$work"), image of $(($(stat -c %s "$image") / 1000000)) MB, medians of $rounds rounds$busy"
echo
echo "| command | seconds | CPU seconds | peak MB | output MB |"
echo "|---|---|---|---|---|"
for name in "${names[@]}"; do
    awk -v n="$name" -v w="${walls[$name]}" -v c="${cpus[$name]}" -v p="${peaks[$name]}" -v s="${sizes[$name]}" \
        'BEGIN { printf "| %s | %.2f | %.2f | %.0f | %s |\n", n, w / 1e6, c / 1e6, p / 1024, s ? sprintf("%.1f", s / 1e6) : "–" }'
done
echo
echo "| must hold | at most | is | by CPU time | |"
echo "|---|---|---|---|---|"
failed=0
verdict() { # LABEL LIMIT VALUE BY_CPU FORMAT
    local word=ok
    awk -v v="$3" -v l="$2" 'BEGIN { exit !(v > l) }' && word='**missed**' && failed=1
    awk -v n="$1" -v l="$2" -v v="$3" -v c="$4" -v f="${5:-%.2f}" -v w="$word" \
        'BEGIN { printf "| %s | %s | " f " | %s | %s |\n", n, l, v, c == "" ? "–" : sprintf("%.2f", c), w }'
}
ratio() { # LABEL LIMIT OURS THEIRS [OTHERS]: against the slower one of two
    local theirs=$4
    [[ -n ${walls[$3]:-} && -n ${walls[$4]:-} ]] || return 0
    [[ -n ${5:-} ]] && ((walls[$5] > walls[$4])) && theirs=$5
    verdict "$1" "$2" "$(awk "BEGIN { print ${walls[$3]} / ${walls[$theirs]} }")" \
        "$(awk "BEGIN { print ${cpus[$3]} / (${cpus[$theirs]} + 1) }")"
}
size() { # LABEL LIMIT OURS THEIRS
    [[ -n ${sizes[$3]:-} && -n ${sizes[$4]:-} ]] || return 0
    verdict "$1" "$2" "$(awk "BEGIN { print ${sizes[$3]} / ${sizes[$4]} }")" '' '%.3f'
}
memory() { # LIMIT_MB NAME...
    local limit=$1 name
    shift
    for name in "$@"; do
        [[ -z ${peaks[$name]:-} ]] || verdict "peak memory of $name, MB" "$limit" $((peaks[$name] / 1024)) '' '%d'
    done
}
ratio "docker-archive → OCI directory, against the slower of cp and openssl" 1.3 "copy: restow to oci" "copy: cp" "copy: openssl"
ratio "the same, against skopeo to dir" 0.5 "copy: restow to oci" "copy: skopeo to dir"
ratio "\`--compress gzip\`, against skopeo" 0.8 "gzip: restow" "gzip: skopeo"
size "its size" 1.03 "gzip: restow" "gzip: skopeo"
ratio "\`--compress gzip:1\`, against skopeo" 0.5 "gzip: restow gzip:1" "gzip: skopeo"
size "its size" 1.12 "gzip: restow gzip:1" "gzip: skopeo"
ratio "\`--compress zstd\`, against skopeo" 0.75 "zstd: restow" "zstd: skopeo"
size "its size" 1.03 "zstd: restow" "zstd: skopeo"
ratio "OCI gzip → docker-archive plain, against skopeo" 0.4 "plain: restow" "plain: skopeo"
ratio "OCI directory → OCI tar, diff IDs verified too, against skopeo" 0.4 "pack: restow" "pack: skopeo"
ratio "the same, digests verified, as skopeo does" 0.4 "pack: restow, digests only" "pack: skopeo"
ratio "check of OCI gzip, against umoci unpack" 0.25 "check: restow" "check: umoci unpack"
ratio "the same, against gzip -dc and openssl" 0.35 "check: restow" "check: gzip and openssl"
[[ -z ${walls["inspect: restow"]:-} ]] || verdict "inspect of the docker-archive, ms" 50 $((walls["inspect: restow"] / 1000)) '' '%d'
memory 64 "copy: restow to oci" "plain: restow" "pack: restow" "check: restow" "inspect: restow"
memory 128 "gzip: restow" "gzip: restow gzip:1" "zstd: restow"
exit "$failed"

#!/usr/bin/env bash
# restow beside other tools and plain limits on one image of about 1 GB: the table of the README.
#
#   benches/peers.sh                     against what PATH has, about ten minutes on two cores
#   benches/peers.sh --peer FILE         also against this program, such as a newer skopeo; may be repeated
#   benches/peers.sh --rounds 5          more rounds (default 3)
#   benches/peers.sh --only gzip         only works whose name holds the word
#   benches/peers.sh --dir /dev/shm      work in another directory (default $TMPDIR or /tmp), such as a tmpfs
#   benches/peers.sh --keep DIR          leave the images in DIR, or use those that an earlier run left there
#
# Makes the image from this machine's own files, uses no network and no privileges, removes what it made, and exits 1
# when a row misses. Peers are skopeo, umoci, openssl, gzip, pigz, igzip and zstd, known by what `--version` says; those
# that are not there are left out, and said. All commands run in turn, round by round, so that what else the machine does
# meets them alike; a ratio is the median of those of the rounds. Needs openssl, GNU time, python3 and about 12 GB.
# SIZE_MB and RESTOW_BIN override the size and the binary; without the latter target/release/restow is built.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=benches/lib.sh
source benches/lib.sh

rounds=3 only='' keep='' base=${TMPDIR:-/tmp} given=()
while (($#)); do
    case $1 in
        --rounds) rounds=$2 ;;
        --only) only=$2 ;;
        --dir) base=$2 ;;
        --keep) keep=$2 ;;
        --peer) given+=("$(realpath "$2")") ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    esac
    shift 2
done
need openssl python3 /usr/bin/time

# ---- Peers: KIND VERSION FILE, of each kind any number.
kinds=(skopeo umoci openssl gzip pigz igzip zstd)
peers=()
peer() { # FILE
    local said kind
    # The first line that has a version; openssl has a command for it.
    said=$({ "$1" --version || "$1" version; } 2>&1 | grep -m1 '[0-9]\.[0-9]' || true)
    for kind in "${kinds[@]}"; do
        # As a word, in any case: "*** Zstandard CLI (64-bit) v1.5.4", "pigz 2.6", "OpenSSL 3.0.16".
        if [[ ${said,,} =~ (^|[^a-z])${kind/zstd/zstandard}($|[^a-z]) ]]; then
            peers+=("$kind $(grep -o '[0-9]\+\.[0-9][0-9.a-z-]*' <<<"$said" | head -1) $1")
            return
        fi
    done
    echo "$1 is none of ${kinds[*]}: it says ${said:-nothing}" >&2
    exit 2
}
missing=()
for kind in "${kinds[@]}"; do
    if file=$(command -v "$kind"); then peer "$file"; else missing+=("$kind"); fi
done
for file in "${given[@]}"; do peer "$file"; done

work=$(mktemp -d "$base/restow-peers-XXXXXX")
log=$work/log
images=${keep:-$work/images}
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
restow_to_measure
mkdir -p "$images"
images=$(realpath "$images")
image=$images/image.tar gz=$images/oci-gzip
[[ -f $image ]] || make_image "$images" "${SIZE_MB:-1050}" lab/peers:1
# As registries and other tools hold it.
[[ -d $gz ]] || skopeo copy --quiet "docker-archive:$image" "oci:$gz:1"
manifest=$(grep -o 'sha256:[0-9a-f]\{64\}' "$gz/index.json" | head -1)
layers=$(grep -o '"layers":.*' "$gz/blobs/sha256/${manifest#sha256:}" | grep -o 'sha256:[0-9a-f]\{64\}' | sed "s|sha256:|$gz/blobs/sha256/|" | xargs)
plain=$(for name in system libraries scripts packed texts settings; do echo "$images/$name.tar"; done | xargs)

# ---- Works and whom they are measured against.
commands=() rows=() current=''
command_of() { # COMMAND: sets number; the same command runs once a round
    for number in "${!commands[@]}"; do [[ ${commands[number]} != "$1" ]] || return 0; done
    number=${#commands[@]}
    commands+=("$1")
}
does() { # WORK ARGUMENTS OF RESTOW [BEFORE IT]
    current=
    [[ -z $only || $1 == *"$only"* ]] || return 0
    command_of "${3:-}$restow $2"
    current="$1;$number"
}
# Rows of the current work. WANTED is the most that the ratio may be, SIZE that of the outputs; - is nothing wanted.
# With KIND, @ in COMMAND is the program, and there is a row for each that is there. Of two commands the slower counts.
against() { # KIND LABEL WANTED SIZE COMMAND [COMMAND]
    local entry kind version file theirs command
    [[ -n $current ]] || return 0
    for entry in "${peers[@]}"; do
        read -r kind version file <<<"$entry"
        [[ $kind == "$1" ]] || continue
        theirs=
        for command in "${@:5}"; do
            command_of "${command//@/$file}"
            theirs+=" $number"
        done
        rows+=("$current;$kind $version$2;$3;$4;$theirs")
    done
}
within() { # MILLISECONDS
    [[ -z $current ]] || rows+=("$current;–;$1 ms;-;")
}
rootless=
((EUID == 0)) || rootless=--rootless
# The least that verifying takes: the fastest inflate that streams, then SHA-256 of what is stored and of what comes out,
# one after the other on one core. Two cores could do it in half of that.
floor="@ -dc $layers >/dev/null; openssl dgst -sha256 $gz/blobs/sha256/* $plain"
each='mkdir out; for f in '$plain'; do'

does "docker-archive → OCI directory, verified" "convert -q docker-archive:$image oci:out"
against openssl " \`dgst -sha256\` or \`cp\`, the slower" 1.3 - "@ dgst -sha256 $image" "cp $image out"
against skopeo " to \`dir:\`" 0.5 - "@ copy --quiet docker-archive:$image dir:out"
does "… \`--fsync\`" "convert -q --fsync docker-archive:$image oci:out"
against openssl " \`dgst -sha256\` or \`cp\`, the slower" - - "@ dgst -sha256 $image" "cp $image out"
does "… \`--compress gzip\`" "convert -q --compress gzip docker-archive:$image oci:out"
against skopeo "" 0.6 1 "@ copy --quiet docker-archive:$image oci:out:1"
against pigz " -6" - - "$each @ -6 <\$f >out/\${f##*/}; done"
does "… \`--compress gzip:1\`" "convert -q --compress gzip:1 docker-archive:$image oci:out"
against skopeo "" 0.5 1.12 "@ copy --quiet docker-archive:$image oci:out:1"
against pigz " -1" - - "$each @ -1 <\$f >out/\${f##*/}; done"
against igzip " -1" - - "$each @ -1 <\$f >out/\${f##*/}; done"
does "… \`--compress zstd\`" "convert -q --compress zstd docker-archive:$image oci:out"
against skopeo "" 0.6 1.005 "@ copy --quiet --dest-compress-format zstd docker-archive:$image oci:out:1"
against zstd " -T0" - - "$each @ -q -T0 <\$f >out/\${f##*/}; done"
does "OCI gzip → docker-archive, \`--compress none\`" "convert -q --compress none oci:$gz docker-archive:out"
against skopeo "" 0.4 - "@ copy --quiet oci:$gz:1 docker-archive:out:lab/peers:1"
against gzip " -dc" - - "@ -dc $layers >out"
against igzip " -dc" - - "@ -dc $layers >out"
does "OCI directory → OCI tar, bytes kept, diff IDs verified" "convert -q oci:$gz oci-archive:out"
against skopeo ", which verifies digests" 0.75 - "@ copy --quiet oci:$gz:1 oci-archive:out:1"
against igzip " -dc, openssl of both and \`cp\`, the floor on one core" 0.575 - "$floor; cat $gz/blobs/sha256/* >out"
does "… on one core" "convert -q --jobs 1 oci:$gz oci-archive:out" "taskset -c 0 "
against igzip " -dc, openssl of both and \`cp\`" 1.15 - "$floor; cat $gz/blobs/sha256/* >out"
does "OCI directory → OCI tar, \`--verify digests\`" "convert -q --verify digests oci:$gz oci-archive:out"
against skopeo "" 0.2 - "@ copy --quiet oci:$gz:1 oci-archive:out:1"
does "\`check\`, all rules, OCI gzip" "check -q oci:$gz"
against umoci " unpack" 0.25 - "@ unpack $rootless --image $gz:1 bundle"
against gzip " -dc and openssl on each blob" 0.35 - "for l in $layers; do @ -dc \$l | openssl dgst -sha256; done; openssl dgst -sha256 $gz/blobs/sha256/*"
against igzip " -dc and openssl of both, the floor on one core" 0.575 - "$floor"
does "… on one core" "check -q --jobs 1 oci:$gz" "taskset -c 0 "
against igzip " -dc and openssl of both" 1.15 - "$floor"
does "\`inspect\` of the docker-archive" "inspect docker-archive:$image"
within 50

# What runs on several threads suffers most from neighbours: then the ratios by CPU time say more.
read -r load _ </proc/loadavg
busy=$(awk -v l="$load" -v n="$(nproc)" 'BEGIN { if (l > n / 2) print ", while the machine was busy (load " l "): ratios of CPU time say more" }')

# So that the first round does not read from the disk.
cat "$image" "$gz"/blobs/sha256/* $plain >/dev/null
cd "$work"
for ((round = 1; round <= rounds; round++)); do
    for i in "${!commands[@]}"; do
        measure bash -c "${commands[i]}"
        size=0
        [[ ! -e out ]] || size=$(du -sb --apparent-size out | cut -f1)
        rm -rf out
        # Of many small files: ext4 takes a minute to use inodes again, at the cost of whoever creates files then.
        if [[ -d bundle ]]; then mv bundle "bundle-$round-$i"; fi
        echo "$i $round $wall $cpu $peak $size" >>figures
        printf '\r%-70s' "round $round of $rounds: command $((i + 1)) of ${#commands[@]}: $((wall / 1000)) ms" >&2
    done
done
printf '\r%-70s\r' '' >&2

echo "$(date -u +%F), $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(stat -f -c %T .), an image of $(($(stat -c %s "$image") / 1000000)) MB, medians of $rounds rounds$busy"
echo
printf '%s\n' "${peers[@]}" | sed 's/^/- /'
((${#missing[@]} == 0)) || echo "- not there: ${missing[*]}"
echo
printf '%s\n' "${rows[@]}" >rows
python3 - <<'END'
import collections, statistics, sys

figures = collections.defaultdict(dict)  # command -> round -> (wall, CPU, peak, size)
for line in open("figures"):
    command, number, *values = map(int, line.split())
    figures[command][number] = values
middle = lambda values: statistics.median(list(values))
missed = 0
print("| work | restow | peer | ratio | of CPU time | wanted | size | peak memory |")
print("|---|---|---|---|---|---|---|---|")
for line in open("rows"):
    work, ours, label, wanted, size, theirs = line.rstrip("\n").split(";")
    mine, others = figures[int(ours)], [figures[int(i)] for i in theirs.split()]
    took = middle(run[0] for run in mine.values())
    seconds = lambda us: "%.2f s" % (us / 1e6) if us >= 1e5 else "%.0f ms" % (us / 1e3)
    cells = [work, seconds(took)]
    word = ""
    if not others:
        cells += [label, "–", "–"]
        word = took / 1e3 > float(wanted.split()[0])
        cells += [wanted + (" **missed**" if word else ""), "–"]
    else:
        times = [middle(run[0] for run in other.values()) for other in others]
        slower = others[times.index(max(times))]
        ratio = middle(mine[n][0] / max(other[n][0] for other in others) for n in mine)
        by_cpu = middle(mine[n][1] / max(1, slower[n][1]) for n in mine)
        word = wanted != "-" and ratio > float(wanted)
        cells += ["%s %s" % (label, ", ".join(map(seconds, times))), "%.2f" % ratio, "%.2f" % by_cpu,
            wanted.replace("-", "–") + (" **missed**" if word else "")]
        bytes_of = lambda runs: middle(run[3] for run in runs.values())
        # Outputs of one kind only: a folder of layers is no archive, but layers are all that counts in it.
        if bytes_of(mine) and bytes_of(slower) and len(others) == 1:
            relative = bytes_of(mine) / bytes_of(slower)
            large = size != "-" and relative > float(size)
            word = word or large
            cells += ["%.3f%s" % (relative, " of %s **missed**" % size if large else "")]
        else:
            cells += ["–"]
    missed += bool(word)
    peak = max(run[2] for run in mine.values()) / 1024
    # The promise of the README: 64 MB for what does not compress, twice that for what does.
    most = 128 if "--compress gzip" in work or "--compress zstd" in work else 64
    missed += peak > most
    cells += ["%.0f MB%s" % (peak, " **missed**" if peak > most else "")]
    print("| " + " | ".join(cells) + " |")
if missed:
    print("\n%d missed" % missed, file=sys.stderr)
sys.exit(1 if missed else 0)
END

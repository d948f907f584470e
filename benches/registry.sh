#!/usr/bin/env bash
# restow beside skopeo with registries: an image of ten layers from a registry to a layout, from a layout to a registry,
# and from one registry to another.
#
#   benches/registry.sh                  five minutes on two cores
#   benches/registry.sh --rounds 5       more rounds (default 3)
#   benches/registry.sh --delay 20       each answer of the registries comes 20 ms late, as across a continent
#   benches/registry.sh --dir /dev/shm   work in another directory (default $TMPDIR or /tmp)
#   benches/registry.sh --keep DIR       leave the image in DIR, or use the one that an earlier run left there
#
# Makes the image from this machine's own files (SIZE_MB, 1000 if not given, plain; gzip as skopeo writes it), starts
# Debian's docker-registry on loopback, with a fresh storage for each push, and stops it again. Both tools run in turn,
# round by round; a ratio is the median of those of the rounds. restow verifies digests and diff IDs, or with `--verify
# digests` as much as skopeo does. What the registries themselves compute is counted, too: where all cores are busy, no client
# takes less time than a core's share of it all (the last column, of skopeo's). Exits 1 when a row misses. Needs skopeo, docker-registry, GNU time and python3. RESTOW_BIN overrides the binary;
# without it target/release/restow is built.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=benches/lib.sh
source benches/lib.sh
here=$PWD/benches

rounds=3 keep='' base=${TMPDIR:-/tmp} delay=0
while (($#)); do
    case $1 in
        --rounds) rounds=$2 ;;
        --delay) delay=$2 ;;
        --dir) base=$2 ;;
        --keep) keep=$2 ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    esac
    shift 2
done
need skopeo docker-registry python3 /usr/bin/time
restow_to_measure

work=$(mktemp -d "$base/restow-registry-XXXXXX")
log=$work/log
images=${keep:-$work/images}
servers=()
stop() { # all servers
    ((${#servers[@]} == 0)) || kill "${servers[@]}" 2>/dev/null || true
    ((${#servers[@]} == 0)) || wait "${servers[@]}" 2>/dev/null || true
    servers=()
}
trap 'stop; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$images"
images=$(realpath "$images")

# ---- Ten layers of a tenth each, every tenth file.
layout=$images/layout
if [[ ! -d $layout ]]; then
    find /usr/bin /usr/lib /usr/share -xdev -type f -readable -size -40M -printf '%s %i %p\n' 2>/dev/null |
        LC_ALL=C sort -k 3 | LC_ALL=C grep -avP '[^\x20-\x7e]|\\' |
        awk -v most="$((${SIZE_MB:-1000} * 1000000))" -v to="$images/list" '
            { path = substr($0, index($0, "/")) }
            !($2 in seen) && total + $1 + 1024 <= most {
                seen[$2]; total += $1 + 512 + (512 - $1 % 512) % 512; print substr(path, 2) > (to n++ % 10)
            }'
    layers=() diff_ids=()
    for n in {0..9}; do
        tar_of "$images" -C / --no-recursion --verbatim-files-from --files-from "$images/list$n" >"$images/$n.tar"
        layers+=("\"$n.tar\"")
        hex=$(sha256sum "$images/$n.tar")
        diff_ids+=("\"sha256:${hex%% *}\"")
    done
    printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
        "$(join "${diff_ids[@]}")" >"$images/config.json"
    printf '[{"Config":"config.json","RepoTags":["lab/ten:1"],"Layers":[%s]}]' "$(join "${layers[@]}")" \
        >"$images/manifest.json"
    (cd "$images" && tar_of . config.json {0..9}.tar manifest.json >image.tar && rm {0..9}.tar list?)
    skopeo --insecure-policy copy --quiet "docker-archive:$images/image.tar" "oci:$layout:1"
    rm "$images/image.tar"
fi

# A registry with a storage in $1; sets port.
registry() { # DIR
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    mkdir -p "$1"
    printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n' \
        "$1" "$port" >"$1.yml"
    docker-registry serve "$1.yml" >/dev/null 2>&1 &
    servers+=($!)
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
    ((delay == 0)) || late
}

# Puts a proxy before the registry at $port that holds back the first byte of each answer; sets port to it.
late() {
    local own
    own=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    python3 "$here/late.py" "$own" "$port" "$delay" &
    servers+=($!)
    port=$own
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
}

# Each registry has a port of its own, so that what skopeo remembers of blobs elsewhere is of no use here.
skopeo="skopeo --insecure-policy copy --quiet --preserve-digests --src-tls-verify=false --dest-tls-verify=false"

registry "$work/source"
source=localhost:$port
bash -c "${skopeo/--src-tls-verify=false /} oci:$layout:1 docker://$source/lab/ten:1"
cat "$layout"/blobs/sha256/* >/dev/null
kept=("${servers[@]}")

cd "$work"
ticks() { # of all registries, in microseconds
    local pid spent=0
    for pid in "${servers[@]}"; do
        spent=$((spent + $(awk '{ print $14 + $15 }' "/proc/$pid/stat") * 1000000 / $(getconf CLK_TCK)))
    done
    echo "$spent"
}
run() { # WORK TOOL COMMAND
    local before
    before=$(ticks)
    measure bash -c "$3"
    echo "$1;$2;$round;$wall;$cpu;$peak;$(($(ticks) - before))" >>figures
    printf '\r%-70s' "round $round of $rounds: $1, $2: $((wall / 1000)) ms" >&2
}
for ((round = 1; round <= rounds; round++)); do
    for tool in restow digests skopeo; do
        copy="$restow convert -q" name=''
        [[ $tool != digests ]] || copy="$copy --verify digests"
        [[ $tool != skopeo ]] || { copy=$skopeo name=:1; }
        run "registry → layout" $tool "${copy/--dest-tls-verify=false /} docker://$source/lab/ten:1 oci:out$name"
        rm -rf out
        for from in "oci:$layout:1" "docker://$source/lab/ten:1"; do
            registry "$work/fresh"
            what="layout → registry"
            [[ $from == oci:* ]] || what="registry → registry"
            run "$what" $tool "$copy $from docker://localhost:$port/lab/ten:1"
            fresh=("${servers[@]:${#kept[@]}}")
            kill "${fresh[@]}"
            wait "${fresh[@]}" 2>/dev/null || true
            servers=("${kept[@]}")
            rm -rf "$work/fresh"
        done
    done
done
for ((round = 1; round <= rounds; round++)); do
    run "verifying alone" restow "$restow check -q oci:$layout"
done
printf '\r%-70s\r' '' >&2

read -r load _ </proc/loadavg
busy=$(awk -v l="$load" -v n="$(nproc)" 'BEGIN { if (l > n) print ", while the machine was busy (load " l "): ratios of CPU time say more" }')
late=
((delay == 0)) || late=", each answer $delay ms late"
echo "$(date -u +%F), $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), docker-registry on loopback$late, ten layers of $(($(du -sb "$layout" | cut -f1) / 1000000)) MB as stored, medians of $rounds rounds$busy; $(skopeo --version)"
echo
python3 - <<'END'
import collections, os, statistics, sys

figures = collections.defaultdict(dict)
for line in open("figures"):
    work, tool, number, *values = line.strip().split(";")
    figures[work, tool][int(number)] = list(map(int, values))
middle = lambda at, runs: statistics.median(run[at] for run in runs.values())
seconds = lambda microseconds: "%.2f s" % (microseconds / 1e6)
missed = 0
print("| from → to | verified | restow: wall | CPU | registries | peak | skopeo: wall | CPU | registries | peak | wall of skopeo's | CPU of skopeo's | least wall of skopeo's |")
print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
for work in ["registry → layout", "layout → registry", "registry → registry"]:
    theirs = figures[work, "skopeo"]
    for tool, verified in [("restow", "digests, diff IDs"), ("digests", "digests")]:
        ours = figures[work, tool]
        of = lambda value: statistics.median(value(ours[n]) / value(theirs[n]) for n in ours)
        ratio, by_cpu = of(lambda run: run[0]), of(lambda run: run[1])
        least = statistics.median((run[1] + run[3]) / os.cpu_count() / theirs[n][0] for n, run in ours.items())
        cells = [work, verified]
        for runs in (ours, theirs):
            peak = max(run[2] for run in runs.values()) / 1024
            cells += [seconds(middle(at, runs)) for at in (0, 1, 3)] + ["%.0f MB" % peak]
        missed += ratio > 0.6
        missed += max(run[2] for run in ours.values()) / 1024 > 64
        cells += ["%.2f%s" % (ratio, " (0.6 wanted)" if ratio > 0.6 else ""), "%.2f" % by_cpu, "%.2f" % least]
        print("| " + " | ".join(cells) + " |")
alone = figures["verifying alone", "restow"]
print("\n`restow check` of the layout, which sends nothing: %s, %s of CPU." % (seconds(middle(0, alone)), seconds(middle(1, alone))))
sys.exit(1 if missed else 0)
END

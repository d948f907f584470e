# Shared by the scripts beside it: an image made from this machine's own files, and measuring. Sourced, not run.
# shellcheck shell=bash

# Ends where one of these programs is not installed.
need() { # TOOL...
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }
    done
}

# Sets `restow` to the program that is measured: RESTOW_BIN, or the optimised one, which is built.
restow_to_measure() {
    if [[ -z ${RESTOW_BIN:-} ]]; then
        cargo build --release --quiet
        RESTOW_BIN=${CARGO_TARGET_DIR:-target}/release/restow
    fi
    restow=$(realpath "$RESTOW_BIN")
}

# Makes $1/NAME.tar for six layers of different character, about $2 MB in all, and $1/image.tar, a docker-archive of
# them as `docker save` wrote it from 1.10 to 24: plain layers. The same machine gives the same bytes again.
make_image() { # DIR SIZE_MB NAME
    local dir=$1 size=$2 name=$3 layer hex diff_ids=() names=()
    mkdir -p "$dir"
    # Shares of the size in percent. One layer is larger than the others together, as in real images.
    pick "$dir" system $((size * 11 / 100)) '.' /usr/bin /usr/sbin /etc
    pick "$dir" libraries $((size * 52 / 100)) '.' /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu \
        /usr/lib/gcc /usr/lib/llvm* /usr/lib/jvm /usr/lib/postgresql /usr/lib
    pick "$dir" scripts $((size * 12 / 100)) '\.(py|pl|pm|js|rb|sh|h|json|lua|el|vim|ts|hpp|rs)$' \
        /usr/lib/python3* /usr/share /usr/lib /usr/include "$HOME/.cargo/registry/src"
    pick "$dir" packed $((size * 13 / 100)) '\.(gz|xz|zst|bz2|jar|zip|png|jpg|whl|crate|deb|woff2)$' \
        /usr/share /usr/lib /var/cache/apt /var/lib "$HOME/.cargo/registry/cache"
    pick "$dir" texts $((size * 12 / 100)) '.' /usr/share/locale /usr/share/doc /usr/share/man /usr/share/i18n \
        /usr/share/perl /usr/share/zoneinfo
    mkdir -p "$dir/etc"
    echo 'nothing but this' >"$dir/etc/motd"
    tar_of "$dir" -C "$dir" etc/motd >"$dir/settings.tar"
    for layer in system libraries scripts packed texts settings; do
        hex=$(openssl dgst -sha256 -r "$dir/$layer.tar")
        diff_ids+=("\"sha256:${hex%% *}\"")
        names+=("\"$layer.tar\"")
    done
    printf '{"architecture":"amd64","config":{"Cmd":["/bin/sh"]},"created":"2024-01-02T03:04:05Z","history":[%s],"os":"linux","rootfs":{"diff_ids":[%s],"type":"layers"}}' \
        "$(join '{"created":"2024-01-02T03:04:05Z"}'{,,,,,})" "$(join "${diff_ids[@]}")" >"$dir/config.json"
    printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":[%s]}]' "$name" "$(join "${names[@]}")" >"$dir/manifest.json"
    # Hard links, so that the archive is made without a second copy of the layers' bytes.
    (cd "$dir" && tar_of "$dir" config.json {system,libraries,scripts,packed,texts,settings}.tar manifest.json >image.tar)
}

# $1/$2.tar of at most $3 MB of the files below the other directories whose paths match the expression $4; what is
# lacking is filled with compressed and with repeated bytes.
pick() { # DIR LAYER MB EXPRESSION DIRECTORY...
    local dir=$1 layer=$2 mb=$3 expression=$4 found=() path lacking
    shift 4
    for path in "$@"; do [[ -d $path ]] && found+=("$path"); done
    # In the order of the directories, each sorted: the first ones fill the layer where they suffice.
    for path in "${found[@]}"; do
        find "$path" -xdev -type f -readable -size -120M -printf '%s %i %p\n' 2>/dev/null | LC_ALL=C sort -k 3
    done | LC_ALL=C grep -avP '[^\x20-\x7e]|\\' | awk -v most="$((mb * 1000000))" -v expression="$expression" '
        { path = substr($0, index($0, "/")) }
        path ~ expression && !($2 in seen) && total + $1 + 1024 <= most {
            seen[$2]; total += $1 + 512 + (512 - $1 % 512) % 512; print substr(path, 2)
        }' >"$dir/$layer.list"
    tar_of "$dir" -C / --no-recursion --verbatim-files-from --files-from "$dir/$layer.list" >"$dir/$layer.tar"
    lacking=$((mb * 1000000 - $(stat -c %s "$dir/$layer.tar")))
    if ((lacking > mb * 50000)); then
        mkdir -p "$dir/opt"
        # Half of it does not compress, half is source text.
        openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c $((lacking / 2)) >"$dir/opt/$layer.bin" || true
        { while cat /etc/passwd /etc/services /usr/share/common-licenses/*; do :; done; } 2>/dev/null | head -c $((lacking / 2)) >"$dir/opt/$layer.txt" || true
        tar -C "$dir" --append -f "$dir/$layer.tar" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1700000000 "opt/$layer.bin" "opt/$layer.txt"
        rm -r "$dir/opt"
    fi
}

tar_of() { # DIR ARGUMENTS...: a tar on standard output
    shift
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1700000000 -cf - "$@"
}

join() { local IFS=,; echo "$*"; }

# Runs a command; sets wall and cpu (microseconds) and peak (kB: resident memory of the largest process, which is
# not page cache).
measure() { # COMMAND...: what it prints goes to $log
    local began ended user sys TIMEFORMAT='%3U %3S'
    # What others wrote must not be flushed at this command's cost.
    sync -f "$work" 2>/dev/null || sync
    began=${EPOCHREALTIME/./}
    # The shell counts in milliseconds, time only in hundredths of a second.
    if ! { time /usr/bin/time -o "$work/peak" -f %M "$@" >"$log" 2>&1 </dev/null; } 2>"$work/cpu"; then
        echo "failed: $*" >&2
        tail -20 "$log" >&2
        exit 1
    fi
    ended=${EPOCHREALTIME/./}
    read -r user sys <"$work/cpu"
    peak=$(tail -1 "$work/peak")
    wall=$((ended - began))
    cpu=$(awk -v u="$user" -v s="$sys" 'BEGIN { printf "%d", (u + s) * 1000000 }')
}

# The middle one of the numbers on standard input, one a line.
median() {
    sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : int((v[NR / 2] + v[NR / 2 + 1]) / 2) }'
}

#!/usr/bin/env bash
# A static restow in a root that holds nothing else: it judges an archive, and finds a registry by its name.
#
#     packaging/empty-root.sh RESTOW
#
# As root: in a network of its own there is a name server for one name, and a registry (docker-registry) behind it.
set -euo pipefail
if [[ ${1:-} != --inside ]]; then
    exec unshare --net -- "$0" --inside "$(realpath "$1")"
fi
restow=$2
cd "$(dirname "$0")/.."
work=$(mktemp -d)
processes=()
trap 'kill "${processes[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
fail() { echo "FAILED: in an empty root: $*" >&2; cat "$work/log" >&2; exit 1; }
ip link set lo up

mkdir "$work/root"
cp "$restow" "$work/root/restow"
cp corpus/good/oci/podman/archive.tar "$work/root/"
chroot "$work/root" /restow check archive.tar >"$work/log" 2>&1 || fail "an archive"
"$restow" convert --quiet corpus/good/oci/podman/archive.tar "registry-storage:$work/storage:team/app:1"

cat >"$work/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $work/storage}}
http: {addr: "127.0.0.1:5000"}
YAML
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
processes+=($!)
# Without /etc/resolv.conf the name server is the one of this machine.
python3 - >"$work/names.log" 2>&1 <<'PY' &
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
known = b"\x08registry\x04test\x00"
while True:
    query, who = server.recvfrom(512)
    name, kind = query[12:-4], query[-4:-2]
    if b"\x00\x00\x29" in name:  # an OPT record follows the question
        end = query.index(b"\x00", 12) + 1
        name, kind = query[12:end], query[end : end + 2]
    print(name, kind, flush=True)
    question = name + kind + b"\x00\x01"
    found = name.lower() == known
    answers = found and kind == b"\x00\x01"
    header = query[:2] + (b"\x81\x80" if found else b"\x81\x83") + b"\x00\x01" + (b"\x00\x01" if answers else b"\x00\x00") + bytes(4)
    answer = b"\xc0\x0c\x00\x01\x00\x01" + (60).to_bytes(4, "big") + b"\x00\x04\x7f\x00\x00\x01" if answers else b""
    server.sendto(header + question + answer, who)
PY
processes+=($!)
for _ in {1..100}; do
    if { : >/dev/tcp/127.0.0.1/5000; } 2>/dev/null && grep -q ready "$work/names.log"; then break; fi
    sleep 0.1
done
chroot "$work/root" /restow check --tls-verify=false docker://registry.test:5000/team/app:1 >"$work/log" 2>&1 ||
    fail "a registry by its name"
grep -q '^docker://registry.test:5000/team/app:1: sound, 1 image' "$work/log" || fail "what it says"
grep -q registry "$work/names.log" || fail "the name server was not asked"
status=0
chroot "$work/root" /restow check --tls-verify=false docker://nobody.test:5000/team/app:1 >"$work/log" 2>&1 || status=$?
[[ $status == 2 ]] || fail "a name that is not there: status $status"
echo "in an empty root: an archive, and a registry by its name"

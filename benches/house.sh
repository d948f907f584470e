#!/usr/bin/env bash
# What the source is, in numbers, of one or several commits: files, their lines without tests, lines of functions, public
# items, crates. Compiles nothing and looks at no network; crates are those of Cargo.lock, tools of tests included.
#
#   benches/house.sh                 of the last commit
#   benches/house.sh c58f31e HEAD    of both, side by side
#   benches/house.sh --longest       the ten longest functions too
#
# Needs git and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
longest=0
if [[ ${1:-} == --longest ]]; then longest=1 && shift; fi
(($#)) || set -- HEAD
for commit in "$@"; do
    git archive "$commit" src Cargo.lock | LONGEST=$longest COMMIT=$commit python3 -c '
import io, os, re, statistics, sys, tarfile

files, functions, public, crates = [], [], 0, 0
with tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read())) as tar:
    for member in tar:
        if not member.isfile():
            continue
        text = tar.extractfile(member).read().decode(errors="replace")
        if member.name == "Cargo.lock":
            crates = text.count("[[package]]")
        if not member.name.endswith(".rs") or re.search(r"(^|[/_])tests?(_\w+)?(\.rs|/)", member.name):
            continue
        # Tests stand at the end of a file.
        lines = text.split("\n#[cfg(test)]\nmod ")[0].splitlines()
        files.append((len(lines), member.name))
        public += sum(bool(re.match(r"\s*pub (async |const |unsafe )*(fn|struct|enum|trait|type|mod|use|static|const) ?", line)) for line in lines)
        begun = None
        for number, line in enumerate(lines):
            found = re.match(r"( *)(pub(\([a-z: ]+\))? )?(const |async )*fn (\w+)", line)
            # rustfmt ends a function with a brace as far in as it begins.
            if found and begun is None and not line.rstrip().endswith((";", "}")):
                begun = (number, found[1], found[5])
            elif begun and line == begun[1] + "}":
                functions.append((number + 1 - begun[0], begun[2], member.name))
                begun = None
            elif begun and line.startswith(begun[1] + ")") and line.endswith(";"):
                begun = None
lengths = [lines for lines, _ in files]
print(os.environ["COMMIT"])
print("  files %d, lines %d, median %d, longest %d (%s)" % (len(files), sum(lengths), statistics.median(lengths), *max(files)))
print("  files above 500 lines: %d" % sum(lines > 500 for lines in lengths))
print("  functions above 100 lines: %d, longest %d (%s in %s)" % (sum(f[0] > 100 for f in functions), *max(functions)))
print("  lines that say pub: %d, crates in Cargo.lock: %d" % (public, crates))
if os.environ["LONGEST"] == "1":
    for length, name, file in sorted(functions, reverse=True)[:10]:
        print("  %4d %s (%s)" % (length, name, file))
'
done

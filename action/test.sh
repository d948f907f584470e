#!/usr/bin/env bash
# What docs/ci.md, action.yml and .pre-commit-hooks.yaml promise, as far as it can be run without the services: the
# action's step with the variables that GitHub sets, the hook under pre-commit, and the commands of the other snippets.
#
#     action/test.sh [RESTOW]
#
# RESTOW is the program, target/debug/restow if not given.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-target}
restow=$(realpath "${1:-$target/debug/restow}")
tools=$(realpath -m "$target/action-tools")
# shellcheck source=tests/venv.sh
source tests/venv.sh
venv "$tools" pre-commit==4.7.0 pyyaml==6.0.4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cp "$root/corpus/good/docker-archive/docker-20.10/archive.tar" app.tar
head -c 40000 app.tar >cut.tar
cp cut.tar '$(touch pwned) <b>.tar'
fail() { echo "FAILED: $*" >&2; exit 1; }

# action.yml: its inputs are the variables that the script reads, and nothing of an input stands in the shell's text.
"$tools/bin/python" - "$root" <<'PY'
import re, sys, yaml
root = sys.argv[1]
action = yaml.safe_load(open(f"{root}/action.yml"))
build, check = action["runs"]["steps"]
inputs = set(action["inputs"])
env = {name.removeprefix("INPUT_").lower(): value for name, value in check["env"].items()}
assert set(env) == inputs, (set(env), inputs)
assert all(value == "${{ inputs.%s }}" % name for name, value in env.items()), env
read = set(re.findall(r"INPUT_([A-Z]+)", open(f"{root}/action/check.sh").read()))
assert {name.lower() for name in read} == inputs, (read, inputs)
assert all("${{" not in step["run"] for step in (build, check))
for name, output in action["outputs"].items():
    assert output["value"] == "${{ steps.check.outputs.%s }}" % name, output
    assert f'"{name}=' in open(f"{root}/action/check.sh").read(), name
hooks = yaml.safe_load(open(f"{root}/.pre-commit-hooks.yaml"))
assert {hook["id"] for hook in hooks} == {"restow", "restow-installed"}
pages = open(f"{root}/docs/ci.md").read()
blocks = re.findall(r"```yaml\n(.*?)```", pages, re.DOTALL)
assert len(blocks) == 4
for block in blocks:
    yaml.safe_load(block)
# The commands of the snippets, and Tekton's script, for the shell below.
commands = re.findall(r"(restow check --report [^'\n]*app\.tar)", pages)
assert len(commands) == 3, commands
open("commands", "w").write("\n".join(sorted(set(commands))) + "\n")
task = yaml.safe_load(blocks[3])
script = task["spec"]["steps"][0]["script"]
assert "$(params" not in script, "a parameter in the text of a script could run anything"
open("tekton.sh", "w").write(script.replace("$(results.status.path)", "tekton-status"))
PY
echo "action.yml, hooks and snippets: well-formed"

# The action's step: expected status, places, further inputs.
step() {
    local expected=$1 status=0
    shift
    : >output
    : >summary
    env RUNNER_TEMP="$work" GITHUB_OUTPUT="$work/output" GITHUB_STEP_SUMMARY="$work/summary" INPUT_RESTOW="$restow" \
        "$@" "$root/action/check.sh" >log 2>&1 || status=$?
    [[ $status == "$expected" ]] || { cat log; fail "status $status, expected $expected: $*"; }
    grep -qx "status=$expected" output || fail "no status in outputs: $*"
}
step 0 INPUT_PLACES=$'\n  app.tar  \n\n' INPUT_SARIF=restow.sarif
grep -qx sound=true output && grep -qx sarif=restow.sarif output || fail "outputs of a sound archive"
step 1 INPUT_PLACES=$'app.tar\ncut.tar' INPUT_SARIF=cut.sarif INPUT_JUNIT=cut.xml INPUT_PROFILE=$'portable\ndocker'
grep -qx sound=false output || fail "outputs of a wrong archive"
grep -q '^::error .*archive/truncated' log || fail "no annotation"
grep -q 'archive/truncated' summary || fail "no summary"
"$tools/bin/python" -c 'import json; assert json.load(open("cut.sarif"))["version"] == "2.1.0"'
grep -q '<failure' cut.xml || fail "no failure in JUnit"
step 0 INPUT_PLACES="$root/corpus/bad/entry/below-link-whiteout/archive.tar" INPUT_ARGS=$'--warn=entry\n-q' INPUT_SUMMARY=false
[[ ! -s summary ]] || fail "a summary that was not wanted"
step 2 INPUT_PLACES=no-such.tar
step 1 INPUT_PLACES='$(touch pwned) <b>.tar'
[[ ! -e pwned ]] || fail "the name of an archive was run"
! grep -q '<b>' summary || fail "the name of an archive is HTML in the summary"
status=0
INPUT_PLACES=" " INPUT_RESTOW="$restow" "$root/action/check.sh" >log || status=$?
[[ $status == 2 ]] || fail "no places: $status"
echo "the action's step: 6 runs"

# The other snippets.
mkdir bin
ln -s "$restow" bin/restow
export PATH="$work/bin:$PATH"
while IFS= read -r command; do
    $command >log || fail "$command"
done <commands
[[ -s restow.xml && -s restow.json ]] || fail "reports of the snippets"
PLACE=app.tar PROFILE=portable sh tekton.sh >log
[[ $(cat tekton-status) == 0 ]] || fail "Tekton's result"
status=0
PLACE=cut.tar PROFILE=portable sh tekton.sh >log || status=$?
[[ $status == 1 && $(cat tekton-status) == 1 ]] || fail "Tekton's result of a wrong archive"
echo "commands of the snippets: $(wc -l <commands), and Tekton's script"

# The hook, in a repository of its own. The hooks' repository holds nothing but them.
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@localhost GIT_COMMITTER_NAME=t
export GIT_COMMITTER_EMAIL=t@localhost PRE_COMMIT_HOME="$work/pre-commit"
git init -q hooks
cp "$root/.pre-commit-hooks.yaml" hooks/
git -C hooks add -A
git -C hooks commit -qm hooks
git init -q project
cp app.tar project/
cat >project/.pre-commit-config.yaml <<YAML
repos:
  - repo: $work/hooks
    rev: $(git -C hooks rev-parse HEAD)
    hooks:
      - id: restow-installed
        args: [--profile=portable]
YAML
cd project
git add -A
"$tools/bin/pre-commit" run >../log 2>&1 || { cat ../log; fail "the hook on a sound archive"; }
grep -q 'restow check.*Passed' ../log || fail "the hook was not run"
cp ../cut.tar .
git add -A
! "$tools/bin/pre-commit" run >../log 2>&1 || fail "the hook lets a wrong archive pass"
grep -q 'archive/truncated' ../log || { cat ../log; fail "the hook does not say why"; }
"$tools/bin/pre-commit" --version | sed 's/^/the hook, under /'

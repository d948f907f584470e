#!/usr/bin/env bash
# The one step of action.yml that does something: runs `restow check` with the action's inputs, which are in INPUT_*,
# and ends with its exit status. Values are never read as shell, so a name of an archive cannot run anything.
set -euo pipefail

restow=${INPUT_RESTOW:-${RUNNER_TEMP:-}/restow/bin/restow}

# The lines of $1 that are not blank, as the array `lines`.
lines() {
    lines=()
    local line
    while IFS= read -r line || [[ $line ]]; do
        line=${line#"${line%%[![:space:]]*}"}
        line=${line%"${line##*[![:space:]]}"}
        [[ -z $line ]] || lines+=("$line")
    done <<<"$1"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
options=(--progress none --color never --report github --report "human=$work/human.txt")
[[ -z ${INPUT_SARIF:-} ]] || options+=(--report "sarif=$INPUT_SARIF")
[[ -z ${INPUT_JUNIT:-} ]] || options+=(--report "junit=$INPUT_JUNIT")
lines "${INPUT_PROFILE:-}"
for profile in "${lines[@]}"; do options+=("--profile=$profile"); done
lines "${INPUT_ARGS:-}"
options+=("${lines[@]}")
lines "$INPUT_PLACES"
if ((${#lines[@]} == 0)); then
    echo "::error::restow: no places were given"
    exit 2
fi

status=0
"$restow" check "${options[@]}" -- "${lines[@]}" || status=$?

{
    echo "status=$status"
    ((status == 0)) && echo "sound=true" || echo "sound=false"
    [[ -z ${INPUT_SARIF:-} || ! -e $INPUT_SARIF ]] || echo "sarif=$INPUT_SARIF"
} >>"${GITHUB_OUTPUT:-/dev/stdout}"
if [[ ${INPUT_SUMMARY:-true} == true && -e $work/human.txt ]]; then
    # Archives are not trusted: their text must not become Markdown or HTML. A summary may have 1 MiB.
    {
        echo "<pre>"
        head -c 200000 "$work/human.txt" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
        echo "</pre>"
    } >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
fi
exit "$status"

//! What bash, zsh and fish offer with the scripts of `restow completions`: commands, options, forms, codecs, profiles, rules,
//! schemas and files. A shell that is not here is passed over.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

/// A line as far as it is typed, what is offered for its last word, and what is not.
const LINES: &[(&str, &[&str], &[&str])] = &[
    ("restow c", &["check", "convert", "compare", "completions"], &["inspect"]),
    ("restow explain blob/", &["blob/missing", "blob/digest-mismatch"], &["config/bad-port"]),
    ("restow check -A blob/d", &["blob/digest-mismatch"], &["blob/missing"]),
    ("restow check --profile ", &["spec", "docker", "containerd", "portable", "strict"], &["blob"]),
    ("restow check --report s", &["sarif"], &["json"]),
    ("restow check -o j", &["json", "junit"], &["sarif"]),
    ("restow convert --compress ", &["keep", "none", "gzip", "zstd"], &["app.tar"]),
    ("restow inspect --raw ", &["index", "manifest", "config"], &["app.tar"]),
    ("restow schema oci-m", &["oci-manifest"], &["docker-manifest"]),
    ("restow profiles p", &["portable"], &["spec"]),
    ("restow man c", &["check", "convert"], &["inspect"]),
    ("restow completions z", &["zsh"], &["bash"]),
    ("restow check do", &["docker-archive:", "docker://"], &["oci:"]),
    ("restow convert app.tar oc", &["oci:", "oci-archive:"], &["dir:"]),
    ("restow check ap", &["app.tar"], &["oci:"]),
    ("restow check --base", &["--baseline"], &["--json"]),
];

const BASH: &str = r#"
source ./restow.bash
line=$1
read -ra COMP_WORDS <<<"$line"
[[ $line == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE=$line COMP_POINT=${#line} COMPREPLY=()
complete -p restow >/dev/null || exit 3
function=$(complete -p restow)
function=${function##*-F }
${function%% *} restow "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
"#;

const FISH: &str = "source ./restow.fish; complete -C \"$argv[1]\" | string split -f 1 \\t";

/// zsh completes only where somebody types: in a terminal of its own, where what would be offered is printed.
const ZSH: &str = r#"
zmodload zsh/zpty || exit 3
zpty typed zsh -f -i
zpty -w typed 'source ./setup.zsh'
zpty -r typed line '*is set up*'
zpty -w -n typed "$1"$'\t'
while zpty -r typed line; do
    print -rn -- $line
    [[ $line == *'>>>'* ]] && break
done
"#;

const SETUP: &str = r#"
PROMPT=
fpath=($PWD $fpath)
autoload -Uz compinit && compinit -u -D
bindkey '^I' complete-word
begin () { echo -E - '<<<' }
finish () { echo -E - '>>>'; exit }
compprefuncs=( begin )
comppostfuncs=( finish )
compadd () {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- $hits
    return 0
}
print is set up
"#;

fn script(shell: &str, file: &Path) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_restow")).args(["completions", shell]).output().expect("runs");
    assert!(output.status.success());
    std::fs::write(file, output.stdout).expect("written");
}

/// What a shell offers for a line in a folder; `None` if there is no such shell.
fn offered(at: &Path, shell: &str, arguments: &[&str], line: &str) -> Option<BTreeSet<String>> {
    let mut command = Command::new(shell);
    command
        .args(arguments)
        .arg(line)
        .current_dir(at)
        .env("HOME", at)
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8");
    let output = match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        other => other.expect("runs"),
    };
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    // Of zsh, what stands between the marks.
    let text = text.split("<<<").nth(1).map_or(&text[..], |rest| rest.split(">>>").next().unwrap_or(rest));
    Some(text.lines().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect())
}

fn every_line(shell: &str, arguments: &[&str], folder: &Path) {
    for (line, wanted, unwanted) in LINES {
        let Some(offered) = offered(folder, shell, arguments, line) else { return };
        for word in *wanted {
            assert!(offered.contains(*word), "{shell}: `{line}` offers no {word}: {offered:?}");
        }
        for word in *unwanted {
            assert!(!offered.contains(*word), "{shell}: `{line}` offers {word}: {offered:?}");
        }
    }
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    std::fs::write(dir.path().join("app.tar"), "").expect("written");
    dir
}

#[test]
fn bash_offers_what_fits() {
    let dir = folder();
    script("bash", &dir.path().join("restow.bash"));
    every_line("bash", &["--norc", "--noprofile", "-c", BASH, "bash"], dir.path());
}

#[test]
fn fish_offers_what_fits() {
    let dir = folder();
    script("fish", &dir.path().join("restow.fish"));
    every_line("fish", &["--no-config", "-c", FISH], dir.path());
}

#[test]
fn zsh_offers_what_fits() {
    let dir = folder();
    script("zsh", &dir.path().join("_restow"));
    std::fs::write(dir.path().join("setup.zsh"), SETUP).expect("written");
    every_line("zsh", &["-f", "-c", ZSH, "zsh"], dir.path());
}

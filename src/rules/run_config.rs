//! Rules about how a config says its image is run: the member `config` (formats.md B.3, B.5).
//!
//! `container_config` describes the container of a build and is not judged.

use std::collections::HashMap;

use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::Value;
use crate::json::pointer::escape;
use crate::location::{At, Location};
use crate::model::{DocKind, Document};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &BAD_PORT,
    &SET_VALUE,
    &RELATIVE_VOLUME,
    &BAD_ENV,
    &NUL_IN_ENV,
    &DUPLICATE_ENV,
    &V1_COMMAND_STRING,
    &RELATIVE_WORKING_DIR,
    &BAD_USER,
    &BAD_STOP_SIGNAL,
    &EMPTY_LABEL,
    &BAD_HEALTHCHECK,
    &ARGS_ESCAPED,
];

/// The shortest time of a health check that Docker takes, in nanoseconds.
const MILLISECOND: i64 = 1_000_000;

/// Names of signals that Docker knows, without `SIG`. The real-time signals are judged apart.
const SIGNALS: &[&str] = &[
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "UNUSED", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

rule! {
    /// A port that is none.
    BAD_PORT = "config/bad-port", Warning, No, [125],
    checks: "Names in `ExposedPorts` are a port from 1 to 65535 or a range of them, with tcp, udp, sctp or nothing behind a slash.",
    matters: "image-spec config. `docker run -P` and others publish what is written here.",
    example: "`\"ExposedPorts\": {\"http\": {}}`",
    mend: "Rebuild the image with the number.",
    breaks: [Podman],
}
rule! {
    /// A set whose items hold something.
    SET_VALUE = "config/set-value", Warning, No, [126],
    checks: "The values in `ExposedPorts` and `Volumes` are empty objects.",
    matters: "image-spec config: the members are sets, only the names count. Go ignores what else is there.",
    example: "`\"Volumes\": {\"/data\": {\"size\": \"1g\"}}`",
    mend: "Write `{}` as the value.",
}
rule! {
    /// A volume without absolute path.
    RELATIVE_VOLUME = "config/relative-volume", Warning, No, [127],
    checks: "Names in `Volumes` are absolute paths.",
    matters: "image-spec config. Runtimes refuse to mount anything else.",
    example: "`\"Volumes\": {\"data\": {}}`",
    mend: "Rebuild the image with the whole path.",
}
rule! {
    /// An item that sets nothing.
    BAD_ENV = "config/bad-env", Warning, No, [128],
    checks: "Items of `Env` are a name, `=` and a value.",
    matters: "image-spec config. Docker takes an item without `=` from the host when it runs the image; others ignore or refuse it.",
    example: "`\"Env\": [\"PATH\"]`",
    mend: "Rebuild the image with `NAME=` and the value.",
    breaks: [Containerd, Umoci],
}
rule! {
    /// A NUL in the environment.
    NUL_IN_ENV = "config/nul-in-env", Error, No, [128],
    checks: "No item of `Env` holds a NUL.",
    matters: "No process can be started with it: the kernel ends the text there.",
    example: "`\"Env\": [\"A=b\\u0000c\"]`",
    mend: "Rebuild the image without it.",
    breaks: [Docker, Containerd, Podman],
}
rule! {
    /// One variable twice.
    DUPLICATE_ENV = "config/duplicate-env", Warning, No, [128],
    checks: "`Env` sets no name twice.",
    matters: "The last one counts for most tools, both reach the process for others.",
    example: "`\"Env\": [\"A=1\", \"A=2\"]`",
    mend: "Rebuild the image with the one that is meant.",
}
rule! {
    /// A command as text in v1 JSON.
    V1_COMMAND_STRING = "v1/command-string", Warning, No, [129],
    checks: "`Cmd` and `Entrypoint` of a v1 image are arrays.",
    matters: "Very old images have a string, which Docker 20.10 and skopeo take, Docker 29 and crane refuse.",
    example: "`\"Cmd\": \"/bin/sh\"` in `<id>/json`.",
    mend: "Rebuild the image with the exec form.",
}
rule! {
    /// A working directory that is not absolute.
    RELATIVE_WORKING_DIR = "config/relative-working-dir", Warning, No, [130],
    checks: "`WorkingDir` is an absolute path, or empty.",
    matters: "image-spec config. Docker takes it from the root, runtimes refuse it.",
    example: "`\"WorkingDir\": \"app\"`",
    mend: "Rebuild the image with the whole path.",
    breaks: [Docker, Containerd, Podman],
}
rule! {
    /// A user that cannot be one.
    BAD_USER = "config/bad-user", Warning, No, [131],
    checks: "`User` is a user, or a user and a group with `:` between.",
    matters: "image-spec config. Runtimes find no such user and fail.",
    example: "`\"User\": \":staff\"`",
    mend: "Rebuild the image with `user`, `uid`, `user:group` or `uid:gid`.",
    breaks: [Docker, Containerd, Podman, Umoci],
}
rule! {
    /// A signal that nobody knows.
    BAD_STOP_SIGNAL = "config/bad-stop-signal", Warning, No, [132],
    checks: "`StopSignal` is the name of a signal, such as SIGTERM or SIGRTMIN+3, or a number from 1 to 64.",
    matters: "image-spec config. The container is stopped by another signal than was meant, or not created.",
    example: "`\"StopSignal\": \"SIGSTOPPED\"`",
    mend: "Rebuild the image with a known signal.",
    breaks: [Podman],
}
rule! {
    /// A label without name.
    EMPTY_LABEL = "config/empty-label-key", Warning, No, [133],
    checks: "No label has an empty name.",
    matters: "image-spec config: labels follow the rules of annotations, whose keys must not be empty. No known tool fails, so this is no error, unlike a value that is no string.",
    example: "`\"Labels\": {\"\": \"x\"}`",
    mend: "Rebuild the image without it.",
    breaks: [Containerd],
}
rule! {
    /// A health check that Docker refuses.
    BAD_HEALTHCHECK = "config/bad-healthcheck", Warning, No, [134],
    checks: "`Healthcheck` has a test of the form NONE, CMD or CMD-SHELL, times of 0 or at least one millisecond, and no negative number of retries.",
    matters: "The API of Docker refuses such a check where a user gives it; that of an image is taken, and does not do what was meant. Times are nanoseconds, which hand-written configs forget.",
    example: "`\"Healthcheck\": {\"Test\": [\"CMD\", \"/ok\"], \"Interval\": 30}`, which is 30 nanoseconds.",
    mend: "Rebuild the image; write times in nanoseconds.",
}
rule! {
    /// A Windows setting elsewhere.
    ARGS_ESCAPED = "config/args-escaped", Note, No, [136],
    checks: "`ArgsEscaped` is true in Windows images only.",
    matters: "image-spec 1.1 deprecates it; it means something on Windows only. Docker before 20.10 wrote it in Linux images too, and BuildKit does, where it is ignored.",
    example: "`\"ArgsEscaped\": true` in a Linux image.",
    mend: "Rebuild the image with a current builder.",
}

/// Findings about how an image is run.
pub fn check(document: &Document, out: &mut Vec<Finding>) {
    if !matches!(document.kind, DocKind::Config(_) | DocKind::V1Image) {
        return;
    }
    let Some(root) = document.root() else { return };
    let Some(run) = root.get("config").filter(|run| run.is_object()) else { return };
    let windows = root.get("os").and_then(Value::as_str) == Some("windows");
    let mut judge = Judge { document, run, windows, out };
    if document.kind == DocKind::V1Image {
        judge.v1_commands();
        return;
    }
    judge.sets();
    judge.env();
    judge.texts();
    judge.healthcheck();
}

struct Judge<'a> {
    document: &'a Document,
    run: &'a Value,
    windows: bool,
    out: &'a mut Vec<Finding>,
}

impl Judge<'_> {
    fn push(&mut self, rule: &'static Rule, pointer: &str, message: String) {
        let at = Location::pointer(self.document.member, format!("/config/{pointer}"));
        self.out.push(Finding::new(rule, at, message));
    }

    fn push_key(&mut self, rule: &'static Rule, pointer: &str, message: String) {
        let at = At::Key(format!("/config/{pointer}"));
        self.out.push(Finding::new(rule, Location { member: Some(self.document.member), at }, message));
    }

    fn text(&self, name: &str) -> Option<String> {
        self.run.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    fn v1_commands(&mut self) {
        for name in ["Cmd", "Entrypoint"] {
            if self.run.get(name).is_some_and(|value| value.as_str().is_some()) {
                let at = Location::pointer(self.document.member, format!("/config/{name}"));
                let message = format!("`{name}` is a string, an array was expected");
                let list = format!(r#"["/bin/sh","-c",{}]"#, quoted(self.text(name).unwrap_or_default()));
                let finding = Finding::new(&V1_COMMAND_STRING, at.clone(), message).set(&at, list);
                self.out.push(finding.assuming("the command is one for a shell"));
            }
        }
    }

    fn sets(&mut self) {
        for name in ["ExposedPorts", "Volumes"] {
            let members = self.run.get(name).map(Value::members).unwrap_or_default();
            for member in members {
                let pointer = format!("{name}/{}", escape(&member.key));
                if !member.value.members().is_empty() || member.value.is_null() {
                    let message = format!("`{}` has a value, `{{}}` was expected", member.key);
                    let at = Location::pointer(self.document.member, format!("/config/{pointer}"));
                    self.out.push(Finding::new(&SET_VALUE, at.clone(), message).set(&at, "{}"));
                }
                if name == "ExposedPorts" && !is_port(&member.key) {
                    let message = format!("`{}` is not a port", member.key);
                    self.push_key(&BAD_PORT, &pointer, message);
                }
                if name == "Volumes" && !self.is_absolute(&member.key) {
                    let message = format!("the volume `{}` is not an absolute path", member.key);
                    let at = At::Key(format!("/config/{pointer}"));
                    let at = Location { member: Some(self.document.member), at };
                    let finding = Finding::new(&RELATIVE_VOLUME, at.clone(), message);
                    let right = format!("/{}", member.key.trim_start_matches("./"));
                    self.out.push(match self.windows || member.key.contains([':', '\\']) {
                        true => finding,
                        false => finding
                            .help(format!("write `{right}`"))
                            .rename(&at, right)
                            .assuming("the root is where it begins"),
                    });
                }
            }
        }
    }

    fn env(&mut self) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        let items = self.run.get("Env").map(Value::items).unwrap_or_default();
        for (i, text) in items.iter().enumerate().filter_map(|(i, item)| Some((i, item.as_str()?))) {
            let pointer = format!("Env/{i}");
            if text.contains('\0') {
                self.push(&NUL_IN_ENV, &pointer, "an environment variable holds a NUL".into());
                continue;
            }
            // Windows keeps current directories in variables such as `=C:`.
            let (name, rest) = text.split_at(text.find('=').unwrap_or(text.len()));
            if rest.is_empty() || name.is_empty() {
                let what = if rest.is_empty() { "no `=`" } else { "no name" };
                self.push(&BAD_ENV, &pointer, format!("the environment variable `{text}` has {what}"));
                continue;
            }
            if let Some(earlier) = first.insert(name, i) {
                let at = |i: usize| Location::pointer(self.document.member, format!("/config/Env/{i}"));
                let message = format!("the environment variable `{name}` is set twice");
                // The last one counts for every runtime.
                self.out.push(
                    Finding::new(&DUPLICATE_ENV, at(i), message)
                        .related(at(earlier), "first here")
                        .remove(&at(earlier))
                        .help("remove the first, which the second replaces"),
                );
            }
        }
    }

    fn texts(&mut self) {
        if let Some(path) = self.text("WorkingDir").filter(|p| !p.is_empty() && !self.is_absolute(p)) {
            let message = format!("the working directory `{path}` is not an absolute path");
            let at = Location::pointer(self.document.member, "/config/WorkingDir");
            let finding = Finding::new(&RELATIVE_WORKING_DIR, at.clone(), message);
            self.out.push(match self.windows || path.contains('\\') {
                true => finding,
                // What Docker makes of it.
                false => finding
                    .set(&at, quoted(format!("/{}", path.trim_start_matches("./"))))
                    .assuming("the root is where it begins"),
            });
        }
        if let Some(user) = self.text("User").filter(|user| !user.is_empty() && !is_user(user)) {
            let message = format!("`{user}` is no user, and no user and group");
            self.push(&BAD_USER, "User", message);
        }
        if let Some(signal) = self.text("StopSignal").filter(|s| !s.is_empty() && !is_signal(s)) {
            let message = format!("`{signal}` is no signal");
            self.push(&BAD_STOP_SIGNAL, "StopSignal", message);
        }
        if self.run.get("Labels").is_some_and(|labels| labels.get("").is_some()) {
            let at = Location { member: Some(self.document.member), at: At::Key("/config/Labels/".into()) };
            let finding = Finding::new(&EMPTY_LABEL, at.clone(), "a label has no name");
            self.out.push(finding.remove(&at).help("leave the label out"));
        }
        if !self.windows && self.run.get("ArgsEscaped").and_then(Value::as_bool) == Some(true) {
            let message = "`ArgsEscaped` is true, and the image is not for Windows";
            let at = Location::pointer(self.document.member, "/config/ArgsEscaped");
            self.out.push(Finding::new(&ARGS_ESCAPED, at.clone(), message).remove(&at));
        }
    }

    fn healthcheck(&mut self) {
        let Some(check) = self.run.get("Healthcheck").filter(|check| check.is_object()) else { return };
        let test: Vec<&str> = check
            .get("Test")
            .map(Value::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let good = match test.as_slice() {
            [] | ["NONE"] | ["CMD", _, ..] | ["CMD-SHELL", _] => true,
            // Docker joins nothing, but takes the first and passes over the others.
            _ => false,
        };
        if !good {
            let message = format!(
                "the test is NONE, CMD and a command, or CMD-SHELL and one text, found {} items of `{}`",
                test.len(),
                test[0]
            );
            self.push(&BAD_HEALTHCHECK, "Healthcheck/Test", message);
        }
        for name in ["Interval", "Timeout", "StartPeriod", "StartInterval"] {
            let Some(time) = check.get(name).and_then(Value::as_i64) else { continue };
            if time != 0 && time < MILLISECOND {
                let message = format!("`{name}` is {time} nanoseconds, at least {MILLISECOND} were expected");
                let at = Location::pointer(self.document.member, format!("/config/Healthcheck/{name}"));
                let finding = Finding::new(&BAD_HEALTHCHECK, at.clone(), message);
                self.out.push(match time.checked_mul(1_000_000_000).filter(|time| *time > 0) {
                    Some(seconds) => finding
                        .help(format!("if {time} seconds were meant, write `{seconds}`"))
                        .set(&at, seconds.to_string())
                        .assuming("seconds were meant"),
                    None => finding,
                });
            }
        }
        if let Some(retries) = check.get("Retries").and_then(Value::as_i64).filter(|retries| *retries < 0) {
            let message = format!("`Retries` is {retries}, less than 0");
            self.push(&BAD_HEALTHCHECK, "Healthcheck/Retries", message);
        }
    }

    /// On Windows a drive may stand before the path, and either slash.
    fn is_absolute(&self, path: &str) -> bool {
        let path = match path.as_bytes() {
            [drive, b':', ..] if self.windows && drive.is_ascii_alphabetic() => &path[2..],
            _ => path,
        };
        path.starts_with('/') || (self.windows && (path.starts_with('\\') || path.is_empty()))
    }
}

fn is_port(text: &str) -> bool {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| digits && *port > 0)
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let range = number(first).zip(number(last)).is_some_and(|(first, last)| first <= last);
    range && ["tcp", "udp", "sctp"].iter().any(|known| protocol.eq_ignore_ascii_case(known))
}

fn is_user(text: &str) -> bool {
    let mut parts = text.split(':');
    let good = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_control() || c == '/');
    let named = parts.next().is_some_and(good) && parts.next().is_none_or(good);
    named && parts.next().is_none()
}

fn is_signal(text: &str) -> bool {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<u8>().is_ok_and(|number| (1..=64).contains(&number));
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |rest: &str, sign: char, max: u8| {
        rest.is_empty()
            || rest
                .strip_prefix(sign)
                .and_then(|n| n.parse().ok())
                .is_some_and(|n: u8| (1..=max).contains(&n))
    };
    SIGNALS.contains(&name)
        || name.strip_prefix("RTMIN").is_some_and(|rest| offset(rest, '+', 15))
        || name.strip_prefix("RTMAX").is_some_and(|rest| offset(rest, '-', 14))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Family;
    use crate::rules::fixture::found;

    fn on(os: &str, run: &str) -> Vec<&'static str> {
        let text = format!(r#"{{"os":"{os}","config":{{{run}}}}}"#);
        found(DocKind::Config(Family::Docker), &text, check)
    }

    #[test]
    fn fires_and_just_does_not() {
        for (run, expected) in [
            ("", &[][..]),
            (r#""Cmd":null,"Volumes":null,"Env":null,"ExposedPorts":null"#, &[]),
            (r#""ExposedPorts":{"80":{},"1/tcp":{},"65535/udp":{},"8000-8010/TCP":{}}"#, &[]),
            (r#""ExposedPorts":{"0":{}}"#, &["config/bad-port"]),
            (r#""ExposedPorts":{"65536/tcp":{}}"#, &["config/bad-port"]),
            (r#""ExposedPorts":{"+80":{}}"#, &["config/bad-port"]),
            (r#""ExposedPorts":{"20-10":{}}"#, &["config/bad-port"]),
            (r#""ExposedPorts":{"80/http":{}}"#, &["config/bad-port"]),
            (r#""ExposedPorts":{"80":{"a":1}}"#, &["config/set-value"]),
            (r#""Volumes":{"/data":{}}"#, &[]),
            (r#""Volumes":{"/data":null}"#, &["config/set-value"]),
            (r#""Volumes":{"data":{}}"#, &["config/relative-volume"]),
            (r#""Env":["A=","B=c=d"]"#, &[]),
            (r#""Env":["A"]"#, &["config/bad-env"]),
            (r#""Env":["=a"]"#, &["config/bad-env"]),
            (r#""Env":["A=\u0000"]"#, &["config/nul-in-env"]),
            (r#""Env":["A=1","a=2"]"#, &[]),
            (r#""Env":["A=1","A=2"]"#, &["config/duplicate-env"]),
            (r#""WorkingDir":"","User":"","StopSignal":"""#, &[]),
            (r#""WorkingDir":"/app""#, &[]),
            (r#""WorkingDir":"app""#, &["config/relative-working-dir"]),
            (r#""WorkingDir":"C:\\app""#, &["config/relative-working-dir"]),
            (r#""User":"a:b""#, &[]),
            (r#""User":"0:0""#, &[]),
            (r#""User":":b""#, &["config/bad-user"]),
            (r#""User":"a:""#, &["config/bad-user"]),
            (r#""User":"a:b:c""#, &["config/bad-user"]),
            (r#""Labels":{"a":""}"#, &[]),
            (r#""Labels":{"":"a"}"#, &["config/empty-label-key"]),
            (r#""ArgsEscaped":false"#, &[]),
            (r#""ArgsEscaped":true"#, &["config/args-escaped"]),
        ] {
            assert_eq!(on("linux", run), expected, "{run}");
        }
    }

    #[test]
    fn windows_has_drives_and_escaped_arguments() {
        for run in [
            r#""WorkingDir":"C:\\app""#,
            r#""WorkingDir":"\\app""#,
            r#""Volumes":{"c:/data":{}}"#,
            r#""Volumes":{"C:":{}}"#,
            r#""ArgsEscaped":true"#,
            r#""User":"CONTOSO\\alice""#,
        ] {
            assert_eq!(on("windows", run), [""; 0], "{run}");
        }
        assert_eq!(on("windows", r#""WorkingDir":"app""#), ["config/relative-working-dir"]);
    }

    #[test]
    fn signals() {
        for good in ["SIGTERM", "term", "9", "64", "SIGRTMIN", "SIGRTMIN+3", "RTMAX-14"] {
            assert_eq!(on("linux", &format!(r#""StopSignal":"{good}""#)), [""; 0], "{good}");
        }
        for bad in ["0", "65", "SIGNONE", "SIGRTMIN+16", "SIGRTMAX+1", "SIGRTMIN+", "SIG", "-9"] {
            assert_eq!(on("linux", &format!(r#""StopSignal":"{bad}""#)), ["config/bad-stop-signal"], "{bad}");
        }
    }

    #[test]
    fn health_checks() {
        let of = |text: &str| on("linux", &format!(r#""Healthcheck":{{{text}}}"#));
        for good in [
            r#""Test":[]"#,
            r#""Test":["NONE"]"#,
            r#""Test":["CMD","/ok"],"Interval":1000000,"Retries":0"#,
            r#""Test":["CMD-SHELL","test -e /ok"],"Timeout":0"#,
        ] {
            assert_eq!(of(good), [""; 0], "{good}");
        }
        for bad in [
            r#""Test":["/ok"]"#,
            r#""Test":["CMD"]"#,
            r#""Test":["CMD-SHELL","a","b"]"#,
            r#""Interval":999999"#,
            r#""StartPeriod":-1"#,
            r#""Retries":-1"#,
        ] {
            assert_eq!(of(bad), ["config/bad-healthcheck"], "{bad}");
        }
    }

    #[test]
    fn commands_of_v1_images() {
        let of = |text: &str| found(DocKind::V1Image, text, check);
        assert_eq!(of(r#"{"config":{"Cmd":"/bin/sh"}}"#), ["v1/command-string"]);
        assert_eq!(of(r#"{"config":{"Cmd":["/bin/sh"],"Entrypoint":null}}"#), [""; 0]);
    }
}

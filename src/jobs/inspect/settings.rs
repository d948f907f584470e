//! What a config says of how its image runs (formats.md B.2), as people look for it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::json::Value;

/// How an image runs. Lists and maps are always there; what the config does not state is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// What is always run.
    pub entrypoint: Vec<String>,
    /// What is run, or given to the entrypoint, unless somebody says otherwise.
    pub command: Vec<String>,
    /// The environment, as `NAME=VALUE`, in the order of the config.
    pub env: Vec<String>,
    /// User, and group, by name or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The directory that it starts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Ports that it listens on, such as `80/tcp`.
    pub ports: Vec<String>,
    /// Directories for data of their own.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The signal that asks it to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
}

impl Settings {
    /// The settings in a config. What has another type than it should is passed over: rules judge, this tells.
    pub fn of(config: &Value) -> Settings {
        let Some(config) = config.get("config") else { return Settings::default() };
        let word = |key: &str| config.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let texts = |key: &str| {
            let items = config.get(key).map(Value::items).unwrap_or_default();
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let keys = |key: &str| {
            let members = config.get(key).map(Value::members).unwrap_or_default();
            members.iter().map(|member| member.key.to_string()).collect::<Vec<_>>()
        };
        let labels = config.get("Labels").map(Value::members).unwrap_or_default();
        Settings {
            entrypoint: texts("Entrypoint"),
            command: texts("Cmd"),
            env: texts("Env"),
            user: word("User").map(str::to_owned),
            working_dir: word("WorkingDir").map(str::to_owned),
            ports: keys("ExposedPorts"),
            volumes: keys("Volumes"),
            labels: labels
                .iter()
                .filter_map(|member| Some((member.key.to_string(), member.value.as_str()?.to_owned())))
                .collect(),
            stop_signal: word("StopSignal").map(str::to_owned),
        }
    }
}

/// The instruction of a Dockerfile behind `created_by`, as far as it can be told: without what the builder put around
/// it. Text that no builder writes is left as it is.
pub fn instruction(created_by: &str) -> String {
    let line = created_by.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.strip_suffix(" # buildkit").unwrap_or(&line);
    // Arguments of the build stand before the shell: `|1 VERSION=3 /bin/sh -c make`.
    let behind = match line.strip_prefix('|') {
        Some(rest) => rest.find("/bin/sh -c ").map_or(line, |at| &rest[at..]),
        None => line,
    };
    let behind = behind.strip_prefix("RUN ").filter(|rest| shell(rest).is_some()).unwrap_or(behind);
    match shell(behind) {
        Some(command) => match command.strip_prefix("#(nop)") {
            Some(instruction) => instruction.trim_start().to_owned(),
            None => format!("RUN {command}"),
        },
        None => line.to_owned(),
    }
}

/// What the usual shell is given. `|1 VERSION=3` may stand before it, behind `RUN`, too.
fn shell(text: &str) -> Option<&str> {
    let text = match text.strip_prefix('|') {
        Some(rest) => &rest[rest.find("/bin/sh -c ")?..],
        None => text,
    };
    text.strip_prefix("/bin/sh -c ")
}

/// Words as a shell would take them, for people: quoted where they must be.
#[cfg(any(test, feature = "cli"))]
pub fn words(words: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    let quoted = words.iter().map(|word| match word.is_empty() || !word.chars().all(plain) {
        true => format!("'{}'", word.replace('\'', r"'\''")),
        false => word.clone(),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn settings(text: &str) -> Settings {
        Settings::of(&json::parse(text.as_bytes(), 16).expect("JSON").root)
    }

    #[test]
    fn settings_are_read_from_the_config() {
        let found = settings(
            r#"{"config": {"Entrypoint": ["/a", "b c"], "Cmd": ["x"], "Env": ["PATH=/bin", "A="], "User": "7:8",
               "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Volumes": {"/data": {}},
               "Labels": {"k": "v"}, "StopSignal": "SIGINT"}}"#,
        );
        assert_eq!(found.entrypoint, ["/a", "b c"]);
        assert_eq!(words(&found.entrypoint), "/a 'b c'");
        assert_eq!(found.command, ["x"]);
        assert_eq!(found.env, ["PATH=/bin", "A="]);
        assert_eq!(found.user.as_deref(), Some("7:8"));
        assert_eq!(found.working_dir.as_deref(), Some("/srv"));
        assert_eq!(found.ports, ["80/tcp", "53/udp"]);
        assert_eq!(found.volumes, ["/data"]);
        assert_eq!(found.labels.get("k").map(String::as_str), Some("v"));
        assert_eq!(found.stop_signal.as_deref(), Some("SIGINT"));
        let json = serde_json::to_value(&found).expect("JSON");
        assert_eq!(json["workingDir"], "/srv");
    }

    #[test]
    fn what_has_another_type_is_passed_over() {
        for text in [
            "{}",
            r#"{"config": null}"#,
            r#"{"config": {"Cmd": "x", "Env": {"a": 1}, "User": 7, "Labels": [1], "ExposedPorts": null}}"#,
            r#"{"config": {"Cmd": [1, null], "User": "", "Labels": {"a": 1}}}"#,
        ] {
            assert_eq!(settings(text), Settings::default(), "{text}");
        }
    }

    #[test]
    fn instructions_are_told_without_what_builders_put_around_them() {
        for (created_by, told) in [
            (r#"/bin/sh -c #(nop)  CMD ["sh"]"#, r#"CMD ["sh"]"#),
            ("/bin/sh -c #(nop) COPY file:b1 in / ", "COPY file:b1 in /"),
            ("/bin/sh -c apt-get update\n  && x", "RUN apt-get update && x"),
            ("RUN /bin/sh -c make # buildkit", "RUN make"),
            ("RUN |1 V=3 /bin/sh -c make # buildkit", "RUN make"),
            ("|1 V=3 /bin/sh -c make", "RUN make"),
            ("COPY a b # buildkit", "COPY a b"),
            ("bazel build ...", "bazel build ..."),
            ("|broken", "|broken"),
        ] {
            assert_eq!(instruction(created_by), told);
        }
    }
}

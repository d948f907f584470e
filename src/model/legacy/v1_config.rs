//! The run configuration as Docker's structs hold it (formats.md A.2.1, B.3).
//!
//! Decoding and encoding lose what Docker loses: unknown members, and the difference between absent and
//! empty where a field has no `omitempty`. Member names match in any letter case; of several that match, later
//! ones are merged over earlier ones, as Go's decoder does.

use std::collections::BTreeMap;

use super::{DecodeError, go_json};
use crate::json::{self, Kind, Member, Value};

/// A slice of strings; `None` is Go's nil, written as `null`.
pub(super) type Strings = Option<Vec<String>>;

/// `container.Config` of Docker 20.10.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Config {
    hostname: String,
    domainname: String,
    user: String,
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    exposed_ports: Option<BTreeMap<String, ()>>,
    tty: bool,
    open_stdin: bool,
    stdin_once: bool,
    env: Strings,
    /// The command; in a container config, the build step.
    pub cmd: Strings,
    healthcheck: Option<Health>,
    args_escaped: bool,
    image: String,
    volumes: Option<BTreeMap<String, ()>>,
    working_dir: String,
    entrypoint: Strings,
    network_disabled: bool,
    mac_address: String,
    on_build: Strings,
    labels: Option<BTreeMap<String, String>>,
    stop_signal: String,
    stop_timeout: Option<i64>,
    shell: Strings,
}

/// `container.HealthConfig` of Docker 20.10. `StartInterval` came with 25 and is lost by older ones.
#[derive(Debug, Clone, Default, PartialEq)]
struct Health {
    test: Strings,
    interval: i64,
    timeout: i64,
    start_period: i64,
    retries: i64,
}

impl Config {
    /// Decodes `value` over what is here.
    pub fn merge(&mut self, value: &Value) -> Result<(), DecodeError> {
        each_member(value, |name, v| match name {
            "hostname" => string(&mut self.hostname, v),
            "domainname" => string(&mut self.domainname, v),
            "user" => string(&mut self.user, v),
            "attachstdin" => boolean(&mut self.attach_stdin, v),
            "attachstdout" => boolean(&mut self.attach_stdout, v),
            "attachstderr" => boolean(&mut self.attach_stderr, v),
            "exposedports" => map(&mut self.exposed_ports, v, empty_struct),
            "tty" => boolean(&mut self.tty, v),
            "openstdin" => boolean(&mut self.open_stdin, v),
            "stdinonce" => boolean(&mut self.stdin_once, v),
            "env" => strings(&mut self.env, v),
            "cmd" => string_or_strings(&mut self.cmd, v),
            "healthcheck" => pointer(&mut self.healthcheck, v, Health::merge),
            "argsescaped" => boolean(&mut self.args_escaped, v),
            "image" => string(&mut self.image, v),
            "volumes" => map(&mut self.volumes, v, empty_struct),
            "workingdir" => string(&mut self.working_dir, v),
            "entrypoint" => string_or_strings(&mut self.entrypoint, v),
            "networkdisabled" => boolean(&mut self.network_disabled, v),
            "macaddress" => string(&mut self.mac_address, v),
            "onbuild" => strings(&mut self.on_build, v),
            "labels" => map(&mut self.labels, v, string),
            "stopsignal" => string(&mut self.stop_signal, v),
            "stoptimeout" => pointer(&mut self.stop_timeout, v, integer),
            "shell" => string_or_strings(&mut self.shell, v),
            _ => Ok(()),
        })
    }

    /// The JSON that Docker writes for it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Members::default();
        out.string("Hostname", &self.hostname);
        out.string("Domainname", &self.domainname);
        out.string("User", &self.user);
        out.boolean("AttachStdin", self.attach_stdin);
        out.boolean("AttachStdout", self.attach_stdout);
        out.boolean("AttachStderr", self.attach_stderr);
        if self.exposed_ports.as_ref().is_some_and(|ports| !ports.is_empty()) {
            out.raw("ExposedPorts", encode_map(&self.exposed_ports, |()| b"{}".to_vec()));
        }
        out.boolean("Tty", self.tty);
        out.boolean("OpenStdin", self.open_stdin);
        out.boolean("StdinOnce", self.stdin_once);
        out.raw("Env", encode_strings(&self.env));
        out.raw("Cmd", encode_strings(&self.cmd));
        if let Some(health) = &self.healthcheck {
            out.raw("Healthcheck", health.encode());
        }
        if self.args_escaped {
            out.boolean("ArgsEscaped", true);
        }
        out.string("Image", &self.image);
        out.raw("Volumes", encode_map(&self.volumes, |()| b"{}".to_vec()));
        out.string("WorkingDir", &self.working_dir);
        out.raw("Entrypoint", encode_strings(&self.entrypoint));
        if self.network_disabled {
            out.boolean("NetworkDisabled", true);
        }
        out.string_unless_empty("MacAddress", &self.mac_address);
        out.raw("OnBuild", encode_strings(&self.on_build));
        out.raw("Labels", encode_map(&self.labels, |text| go_json::string(text)));
        out.string_unless_empty("StopSignal", &self.stop_signal);
        if let Some(seconds) = self.stop_timeout {
            out.raw("StopTimeout", seconds.to_string().into_bytes());
        }
        out.strings_unless_empty("Shell", &self.shell);
        out.encode()
    }
}

impl Health {
    fn merge(&mut self, value: &Value) -> Result<(), DecodeError> {
        each_member(value, |name, v| match name {
            "test" => strings(&mut self.test, v),
            "interval" => integer(&mut self.interval, v),
            "timeout" => integer(&mut self.timeout, v),
            "startperiod" => integer(&mut self.start_period, v),
            "retries" => integer(&mut self.retries, v),
            _ => Ok(()),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Members::default();
        out.strings_unless_empty("Test", &self.test);
        out.integer_unless_zero("Interval", self.interval);
        out.integer_unless_zero("Timeout", self.timeout);
        out.integer_unless_zero("StartPeriod", self.start_period);
        out.integer_unless_zero("Retries", self.retries);
        out.encode()
    }
}

/// Members of an object in the order in which they are written, values encoded.
#[derive(Debug, Default)]
pub(super) struct Members(pub Vec<(&'static str, Vec<u8>)>);

impl Members {
    pub fn raw(&mut self, name: &'static str, value: Vec<u8>) {
        self.0.push((name, value));
    }

    pub fn string(&mut self, name: &'static str, text: &str) {
        self.raw(name, go_json::string(text));
    }

    pub fn string_unless_empty(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            self.string(name, text);
        }
    }

    fn strings_unless_empty(&mut self, name: &'static str, list: &Strings) {
        if list.as_ref().is_some_and(|list| !list.is_empty()) {
            self.raw(name, encode_strings(list));
        }
    }

    pub fn integer_unless_zero(&mut self, name: &'static str, number: i64) {
        if number != 0 {
            self.raw(name, number.to_string().into_bytes());
        }
    }

    pub fn boolean(&mut self, name: &'static str, value: bool) {
        self.raw(name, value.to_string().into_bytes());
    }

    pub fn encode(self) -> Vec<u8> {
        go_json::object(self.0)
    }
}

fn encode_strings(list: &Strings) -> Vec<u8> {
    match list {
        None => b"null".to_vec(),
        Some(list) => go_json::array(list.iter().map(|text| go_json::string(text))),
    }
}

fn encode_map<T>(map: &Option<BTreeMap<String, T>>, encode: impl Fn(&T) -> Vec<u8>) -> Vec<u8> {
    match map {
        None => b"null".to_vec(),
        Some(map) => go_json::object(map.iter().map(|(key, value)| (key, encode(value)))),
    }
}

/// Calls `decode` with the name in lower case, as Go folds it, and the value of every member; `null` has none.
pub(super) fn each_member(
    value: &Value,
    mut decode: impl FnMut(&str, &Value) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    for Member { key, value, .. } in object(value)? {
        decode(&json::fold::fold(key), value).map_err(|error| error.within(key))?;
    }
    Ok(())
}

fn object(value: &Value) -> Result<&[Member], DecodeError> {
    match &value.kind {
        Kind::Object(members) => Ok(members),
        Kind::Null => Ok(&[]),
        _ => Err(DecodeError::expected("an object")),
    }
}

/// `null` leaves the field alone, here and below.
pub(super) fn string(field: &mut String, value: &Value) -> Result<(), DecodeError> {
    match &value.kind {
        Kind::String(text) => *field = text.to_string(),
        Kind::Null => {}
        _ => return Err(DecodeError::expected("a string")),
    }
    Ok(())
}

pub(super) fn boolean(field: &mut bool, value: &Value) -> Result<(), DecodeError> {
    match value.kind {
        Kind::Bool(truth) => *field = truth,
        Kind::Null => {}
        _ => return Err(DecodeError::expected("true or false")),
    }
    Ok(())
}

/// Go takes a number for an integer only if it is written as one: `1e3` and `1.0` are errors.
pub(super) fn integer(field: &mut i64, value: &Value) -> Result<(), DecodeError> {
    match value.as_i64() {
        Some(number) => *field = number,
        None if value.is_null() => {}
        None => return Err(DecodeError::expected("an integer of 64 bits")),
    }
    Ok(())
}

/// A pointer field: `null` clears it.
pub(super) fn pointer<T: Default>(
    field: &mut Option<T>,
    value: &Value,
    decode: impl Fn(&mut T, &Value) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    if value.is_null() {
        *field = None;
        return Ok(());
    }
    decode(field.get_or_insert_default(), value)
}

fn strings(field: &mut Strings, value: &Value) -> Result<(), DecodeError> {
    let items = match &value.kind {
        Kind::Array(items) => items,
        Kind::Null => {
            *field = None;
            return Ok(());
        }
        _ => return Err(DecodeError::expected("an array of strings")),
    };
    let mut list = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let mut text = String::new();
        string(&mut text, item).map_err(|error| error.within(&index.to_string()))?;
        list.push(text);
    }
    *field = Some(list);
    Ok(())
}

/// A command: very old images have a plain string for it, which becomes a list of one (formats.md B.3).
fn string_or_strings(field: &mut Strings, value: &Value) -> Result<(), DecodeError> {
    match value.as_str() {
        Some(text) => *field = Some(vec![text.to_owned()]),
        None => strings(field, value)?,
    }
    Ok(())
}

fn map<T: Default>(
    field: &mut Option<BTreeMap<String, T>>,
    value: &Value,
    decode: impl Fn(&mut T, &Value) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    pointer(field, value, |map, value| {
        for Member { key, value, .. } in object(value)? {
            let mut item = T::default();
            decode(&mut item, value).map_err(|error| error.within(key))?;
            map.insert(key.to_string(), item);
        }
        Ok(())
    })
}

fn empty_struct((): &mut (), value: &Value) -> Result<(), DecodeError> {
    object(value).map(|_| ())
}

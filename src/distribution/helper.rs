//! Credential helpers: programs `docker-credential-NAME` that keep passwords elsewhere.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::login::Credential;
use crate::http::Secret;

/// What helpers say when they have nothing, word for word (docker-credential-helpers).
const NOTHING: &str = "credentials not found in native keychain";
/// Bytes that a helper may print.
const MOST: u64 = 1 << 20;

/// Asks a helper for the credentials of a server; `None` if it has none.
///
/// # Errors
/// It cannot be run, takes too long, fails, or prints what is no answer.
pub(super) fn ask(name: &str, server: &str, limit: Duration) -> Result<Option<Credential>, Fault> {
    let program = format!("docker-credential-{name}");
    let fault = |why: String| Fault::Helper { program: program.clone(), why };
    if name.is_empty() || name.contains(['/', '\\', '\0']) {
        return Err(fault("this is no name of a helper".into()));
    }
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| fault(format!("cannot be run: {error}")))?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read what it is asked answers nonetheless, or not.
        let _ = input.write_all(server.as_bytes());
    }
    let output = child.stdout.take();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.map(|output| output.take(MOST).read_to_end(&mut bytes));
        let _ = sender.send(bytes);
    });
    let start = Instant::now();
    let status = wait(&mut child, limit).map_err(fault)?;
    // What it started may live on and hold the pipe open.
    let rest = limit.saturating_sub(start.elapsed()).max(Duration::from_millis(100));
    let printed = receiver.recv_timeout(rest).unwrap_or_default();
    let text = String::from_utf8_lossy(&printed);
    let text = text.trim();
    if !status {
        if text == NOTHING {
            return Ok(None);
        }
        return Err(fault(if text.is_empty() {
            "it fails".into()
        } else {
            format!("it fails: {}", super::answer::shown(text))
        }));
    }
    // Never what it printed: that may be the password.
    let unknown = || fault(format!("what it prints for {server} is no answer of a helper"));
    let answer: serde_json::Value = serde_json::from_str(text).map_err(|_| unknown())?;
    let member = |name: &str| answer.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    let (user, secret) = (member("Username"), member("Secret"));
    if secret.is_empty() && user.is_empty() {
        return Ok(None);
    }
    Ok(Some(match user {
        "<token>" => Credential::Identity(Secret::new(secret)),
        user => Credential::Password { user: user.to_owned(), password: Secret::new(secret) },
    }))
}

/// Waits for a program to end, and ends it when it takes too long.
fn wait(child: &mut Child, limit: Duration) -> Result<bool, String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Err(error) => return Err(format!("cannot be waited for: {error}")),
            Ok(None) if start.elapsed() >= limit => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it takes more than {} s, the limit helper-seconds", limit.as_secs()));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

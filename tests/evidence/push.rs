//! Pushes a case to a registry just as it is, and says at which request it was refused.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::input::Input;

/// A registry, and the repository in it.
struct Push<'a> {
    address: &'a str,
    repository: &'a str,
    input: &'a Input,
    done: BTreeSet<String>,
}

/// The registry's answer to the first image, or what it said of the blob or manifest that it refused.
pub fn push(address: &str, repository: &str, input: &Input) -> Option<Result<(), String>> {
    let root = input.roots.first()?;
    input.blob(&root.digest)?;
    let mut push = Push { address, repository, input, done: BTreeSet::new() };
    Some(push.manifest(&root.digest, &root.media_type, "1", 0))
}

impl Push<'_> {
    fn manifest(
        &mut self,
        digest: &str,
        media_type: &str,
        reference: &str,
        depth: usize,
    ) -> Result<(), String> {
        // What is not there cannot be sent; the registry says so of the manifest that wants it.
        let Some(bytes) = self.input.blob(digest) else { return Ok(()) };
        let doc: Value = serde_json::from_slice(bytes).unwrap_or_default();
        for child in doc["manifests"].as_array().into_iter().flatten().filter(|_| depth < 4) {
            let text = |name: &str| child[name].as_str().unwrap_or_default().to_owned();
            let digest = text("digest");
            self.manifest(&digest, &text("mediaType"), &digest, depth + 1)?;
        }
        let layers = doc["layers"].as_array().cloned().unwrap_or_default();
        for descriptor in std::iter::once(&doc["config"]).chain(&layers) {
            self.blob(descriptor["digest"].as_str().unwrap_or_default())?;
        }
        let target = format!("/v2/{}/manifests/{reference}", self.repository);
        self.send("PUT", &target, media_type, bytes).map(drop)
    }

    fn blob(&mut self, digest: &str) -> Result<(), String> {
        let Some(bytes) = self.input.blob(digest) else { return Ok(()) };
        if !self.done.insert(digest.to_owned()) {
            return Ok(());
        }
        let begin = format!("/v2/{}/blobs/uploads/", self.repository);
        let place = self.send("POST", &begin, "application/octet-stream", b"")?;
        let target = place.split_once(self.address).map_or(place.as_str(), |(_, path)| path);
        let target = format!("{target}&digest={digest}");
        self.send("PUT", &target, "application/octet-stream", bytes).map(drop)
    }

    /// The `Location` of what was done.
    fn send(&self, method: &str, target: &str, media_type: &str, body: &[u8]) -> Result<String, String> {
        let told = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(self.address).map_err(told)?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(told)?;
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).map_err(told)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(told)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
        if status.starts_with('2') {
            let place = head.lines().find_map(|line| line.strip_prefix("Location: "));
            return Ok(place.unwrap_or_default().to_owned());
        }
        let error = body.find('{').and_then(|at| serde_json::from_str::<Value>(body[at..].trim_end()).ok());
        let error = error.unwrap_or_default()["errors"][0].clone();
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Err(format!("{status} {} {} {}", text("code"), text("message"), error["detail"]))
    }
}

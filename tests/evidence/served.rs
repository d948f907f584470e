//! A registry that serves any bytes, right or wrong: each case as a repository with the tag `1`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::input::{Form, Input};
use crate::common::tree_digest::sha256;

/// Path of a request → media type, bytes.
type Answers = Arc<Mutex<HashMap<String, (String, Vec<u8>)>>>;

/// It answers as long as the process lives.
pub struct Served {
    /// `127.0.0.1:PORT`
    pub address: String,
    answers: Answers,
}

impl Served {
    pub fn start() -> std::io::Result<Served> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let answers = Answers::default();
        let shared = Arc::clone(&answers);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || drop(answer(&stream, &shared)));
            }
        });
        Ok(Served { address, answers })
    }

    /// Serves the first image of a layout or a `dir:`; false where no document can be found.
    pub fn offer(&self, repository: &str, input: &Input) -> bool {
        let root = match input.form {
            Form::Oci => input
                .roots
                .first()
                .and_then(|root| Some((root.media_type.clone(), input.blob(&root.digest)?.clone()))),
            Form::Dir => input.members.get("manifest.json").map(|bytes| (own_type(bytes), bytes.clone())),
            _ => None,
        };
        let Some((media_type, bytes)) = root else { return false };
        let Ok(mut answers) = self.answers.lock() else { return false };
        let base = format!("/v2/{repository}");
        answers.insert(
            format!("{base}/manifests/sha256:{}", sha256(&bytes)),
            (media_type.clone(), bytes.clone()),
        );
        answers.insert(format!("{base}/manifests/1"), (media_type, bytes));
        for (name, data) in &input.members {
            let Some(digest) = digest_of(name) else { continue };
            let kind = own_type(data);
            answers.entry(format!("{base}/manifests/{digest}")).or_insert_with(|| (kind, data.clone()));
            answers
                .insert(format!("{base}/blobs/{digest}"), ("application/octet-stream".into(), data.clone()));
        }
        true
    }
}

/// The digest that a member of a layout or a `dir:` is called by.
fn digest_of(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("blobs/") {
        return Some(rest.replacen('/', ":", 1));
    }
    let hex = name.strip_suffix(".manifest.json").unwrap_or(name);
    (hex.len() == 64).then(|| format!("sha256:{hex}"))
}

fn own_type(bytes: &[u8]) -> String {
    let doc: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let kind = if doc.get("manifests").is_some() { "index" } else { "manifest" };
    let assumed = format!("application/vnd.oci.image.{kind}.v1+json");
    doc["mediaType"].as_str().map_or(assumed, str::to_owned)
}

fn answer(mut stream: &TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = request.split(' ');
    let head = words.next() == Some("HEAD");
    let path = words.next().unwrap_or_default();
    let found = answers.lock().ok().and_then(|answers| answers.get(path).cloned());
    let (status, kind, body) = match found {
        Some((kind, body)) => ("200 OK", kind, body),
        None if path == "/v2/" => ("200 OK", "application/json".into(), b"{}".to_vec()),
        None => {
            let code = if path.contains("/blobs/") { "BLOB_UNKNOWN" } else { "MANIFEST_UNKNOWN" };
            let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"unknown\"}}]}}");
            ("404 Not Found", "application/json".into(), body.into_bytes())
        }
    };
    let mut header =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
    if path.contains("/manifests/") && status.starts_with("200") {
        header.push_str(&format!("Docker-Content-Digest: sha256:{}\r\n", sha256(&body)));
    }
    header.push_str("Docker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\r\n");
    stream.write_all(header.as_bytes())?;
    if head { Ok(()) } else { stream.write_all(&body) }
}

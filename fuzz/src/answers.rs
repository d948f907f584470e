//! A registry that answers anything: the client comes to an end, keeps its limits, and says nothing that it should not.
//!
//! The first byte says what is asked; the rest is what is answered, one request after another, with 0xFF between two
//! answers. Who asks for more finds the connection closed.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use restow::digest::Digest;
use restow::http::{Client, Environment, Options, Secret};
use restow::limits::Limits;
use restow::distribution::{BlobWriter, Config, Credential, Credentials, Fault, Registries};

const PASSWORD: &str = "hunter22-hunter22";
/// Bytes of a document that are borne here.
const DOCUMENT: u64 = 4096;
/// A blob may be read this much further than it should be long, to tell by how much.
const FURTHER: u64 = 1 << 20;
/// What is learnt of a host is forgotten after so many runs.
const RUNS: usize = 256;

/// What is still to be answered.
static ANSWERS: Mutex<VecDeque<Vec<u8>>> = Mutex::new(VecDeque::new());
/// The client, with the number of runs that it has seen.
static ASKING: Mutex<Option<(Arc<Registries>, usize)>> = Mutex::new(None);
/// The address of the registry.
static ADDRESS: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
});

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(clone) = stream.try_clone() else { return };
    let (mut reader, mut writer) = (BufReader::new(clone), stream);
    loop {
        let mut line = Vec::new();
        // What begins with a handshake of TLS has no line.
        if reader
            .fill_buf()
            .map_or(true, |bytes| bytes.first().is_none_or(|first| !first.is_ascii_uppercase()))
        {
            return;
        }
        if reader.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let _ = std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink());
        if line.starts_with(b"GET /v2/ ") {
            let _ = writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            continue;
        }
        // One answer a connection: what has no end would be waited for.
        let answer = lock(&ANSWERS).pop_front().unwrap_or_default();
        let _ = writer.write_all(&answer);
        return;
    }
}

fn registries() -> Arc<Registries> {
    let mut asking = lock(&ASKING);
    if let Some((registries, runs)) = asking.as_mut().filter(|(_, runs)| *runs < RUNS) {
        *runs += 1;
        return Arc::clone(registries);
    }
    let mut limits = Limits::default();
    (limits.wait_seconds, limits.connect_seconds, limits.retry_seconds) = (2, 2, 0);
    (limits.document_bytes, limits.answer_bytes, limits.listed_names) = (DOCUMENT, DOCUMENT, 64);
    // A redirect leads out of this machine into a proxy that is not there.
    let environment = Environment::of([("ALL_PROXY", "http://127.0.0.1:1")]);
    let mut options = Options::new(&limits, environment);
    (options.retry_times, options.certs_folders) = (0, Vec::new());
    let mut credentials = Credentials::none();
    let credential = Credential::Password { user: "user".into(), password: Secret::new(PASSWORD) };
    credentials.give(&ADDRESS, credential, "--creds");
    let registries = Registries::new(Client::new(options), credentials, Config::default());
    *asking = Some((Arc::clone(&registries), 0));
    registries
}

/// A byte for what is asked, and answers.
pub fn run(data: &[u8]) {
    let Some((&what, answers)) = data.split_first() else { return };
    *lock(&ANSWERS) = answers.split(|byte| *byte == 0xff).map(<[u8]>::to_vec).collect();
    let registries = registries();
    // What a repository was seen to lack must not matter to the next run.
    let path = format!("team/{:x}", what / 10);
    let result = ask(&registries, what % 10, &path);
    if let Err(fault) = result {
        let told = format!("{fault} {:?}", fault.help());
        assert!(!told.contains(PASSWORD), "{told}");
        assert!(!fault.to_string().chars().any(char::is_control), "{told:?}");
    }
}

fn ask(registries: &Arc<Registries>, what: u8, path: &str) -> Result<(), Fault> {
    let digest = Digest::sha256(b"blob");
    let repository = registries.repository(&ADDRESS, path)?;
    match what {
        0 => {
            if let Some(manifest) = repository.manifest("v1")? {
                assert!(manifest.bytes.len() as u64 <= DOCUMENT);
            }
        }
        1 => drop(repository.head("v1")?),
        2 => {
            if let Some(reader) = repository.blob(&digest, Some(4))? {
                let mut bytes = Vec::new();
                let _ = reader.take(2 * FURTHER).read_to_end(&mut bytes);
                assert!(bytes.len() as u64 <= 4 + FURTHER, "{}", bytes.len());
            }
        }
        3 => {
            if let Some(bytes) = repository.blob_head(&digest, 16)? {
                assert!(bytes.len() <= 16);
            }
        }
        4 => {
            if let Some(tags) = repository.tags()? {
                assert!(tags.len() <= 64);
            }
        }
        5 => drop(repository.referrers(&digest)?),
        6 => assert!(registries.catalog(&ADDRESS)?.len() <= 64),
        7 => drop(repository.put("v1", "application/vnd.oci.image.manifest.v1+json", b"{}")?),
        8 => {
            let mut writer = BlobWriter::new(&repository, Some((digest.clone(), 4)), None);
            if !writer.mount(&digest, "other")? {
                writer.write(b"blob")?;
                writer.finish(&digest, 4)?;
            }
        }
        _ => {
            // By hand in pieces: writers keep what is smaller than four MiB together.
            let mut session = repository.begin("a blob")?;
            session.piece(b"bl")?;
            session.piece(b"ob")?;
            session.finish(&digest)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn some_answers() {
        let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"tags\":[\"a\"]}";
        let upload =
            "HTTP/1.1 202 X\r\nLocation: /v2/a/blobs/uploads/x\r\nRange: 0-1\r\nContent-Length: 0\r\n\r\n";
        let login = "HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer realm=\"http://127.0.0.1:1/t\"\r\nContent-Length: 0\r\n\r\n";
        let basic = "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 17\r\n\r\nhunter22-hunter22";
        let away = "HTTP/1.1 307 X\r\nLocation: https://registry.example/x\r\nContent-Length: 0\r\n\r\n";
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx";
        for what in 0..10u8 {
            for answers in [
                json.to_owned(),
                format!("{upload}\u{0}"),
                login.to_owned(),
                basic.to_owned(),
                away.to_owned(),
                long.to_owned(),
                "HTTP/1.1 200 OK\r\n\r\n<html>".to_owned(),
                "\r\n\r\n".to_owned(),
                String::new(),
            ] {
                super::run(&[&[what], answers.as_bytes()].concat());
                let several =
                    [&[what][..], answers.as_bytes(), &[0xff], upload.as_bytes(), &[0xff], json.as_bytes()];
                super::run(&several.concat());
            }
        }
    }
}

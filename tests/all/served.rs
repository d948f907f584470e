//! Archives that serve themselves: whoever pulls gets what stands in them, and nobody gets anything else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use restow::digest::Digest;

use super::registry;

const WAIT: Duration = Duration::from_secs(60);

fn corpus(case: &str) -> String {
    format!("{}/corpus/{case}", env!("CARGO_MANIFEST_DIR"))
}

/// A server; stopped when it is dropped.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    lines: Mutex<Receiver<String>>,
}

impl Served {
    /// Serves, or what it says and exits with in place of that.
    fn try_start(arguments: &[&str]) -> Result<Served, (Option<i32>, String)> {
        Served::try_with(arguments, &[])
    }

    /// The same with more variables.
    fn try_with(arguments: &[&str], variables: &[(&str, String)]) -> Result<Served, (Option<i32>, String)> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_restow"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("restow starts");
        let (send, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(WAIT) {
            if let Some((_, address)) =
                line.split_once("serving http").and_then(|(_, rest)| rest.split_once("://"))
            {
                let address = address.parse().expect("an address");
                return Ok(Served { child, address, lines: Mutex::new(lines) });
            }
            said += &line;
            said.push('\n');
        }
        Err((child.wait().expect("it ends").code(), said))
    }

    pub fn start(arguments: &[&str]) -> Served {
        Served::try_start(arguments).unwrap_or_else(|(code, said)| panic!("{arguments:?}: {code:?}: {said}"))
    }

    /// Serves with more variables than this process has.
    #[cfg(feature = "cloud")]
    pub fn start_with(arguments: &[&str], variables: &[(&str, String)]) -> Served {
        Served::try_with(arguments, variables)
            .unwrap_or_else(|(code, said)| panic!("{arguments:?}: {code:?}: {said}"))
    }

    /// An answer to a request with these header lines: its head, and its body as far as it came.
    pub fn ask(&self, method: &str, target: &str, headers: &[&str]) -> (String, Vec<u8>) {
        let mut socket = TcpStream::connect(self.address).expect("it listens");
        socket.set_read_timeout(Some(WAIT)).expect("a socket");
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let text = format!("{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        socket.write_all(text.as_bytes()).expect("sent");
        let mut all = Vec::new();
        let _ = socket.read_to_end(&mut all);
        let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        (String::from_utf8_lossy(&all[..end]).into_owned(), all.split_off(end + 4))
    }

    /// The first line from now on that holds these words.
    pub fn line(&self, words: &str) -> String {
        let lines = self.lines.lock().expect("alone");
        let told = std::iter::from_fn(|| lines.recv_timeout(WAIT).ok()).find(|line| line.contains(words));
        told.expect(words)
    }

    fn status(&self, method: &str, target: &str, headers: &[&str]) -> u16 {
        status(&self.ask(method, target, headers).0)
    }

    fn signal(&self) {
        let process = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a process");
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
    }

    /// Ends it; what it exits with, and its last line.
    fn end(mut self) -> (Option<i32>, String) {
        self.signal();
        let code = self.child.wait().expect("it ends").code();
        let lines = self.lines.lock().expect("alone");
        (code, lines.iter().last().unwrap_or_default())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.signal();
        let _ = self.child.wait();
    }
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{head}"))
}

pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.split_once(": ").filter(|(key, _)| *key == name).map(|(_, value)| value))
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

fn restow(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_restow")).args(arguments).output().expect("restow starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Sound archives of the corpus, and the samples where they are at hand.
fn sound() -> Vec<PathBuf> {
    let mut all = registry::places::corpus();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples");
    let samples = std::fs::read_dir(samples).into_iter().flatten().flatten().map(|entry| entry.path());
    all.extend(samples.filter(|path| path.extension().is_some_and(|end| end == "tar")));
    all.sort();
    all
}

/// What is pulled from a served archive is what stands in it: documents, digests and layers.
#[test]
fn every_sound_archive_is_pulled_as_it_is() {
    let (mut served, mut refused) = (0, Vec::new());
    for path in sound() {
        let place = path.display().to_string();
        let server = match Served::try_start(&[&place]) {
            Ok(server) => server,
            Err((code, said)) => {
                // One that is wrong by a rule that needs every layer, or whose images have names and none at once.
                assert!(matches!(code, Some(1 | 2)), "{place}: {code:?}: {said}");
                refused.push(format!("{place}: {}", said.lines().last().unwrap_or_default()));
                continue;
            }
        };
        served += 1;
        let there = format!("docker://{}/", server.address);
        let catalog = json(&server.ask("GET", "/v2/_catalog", &[]).1);
        let repositories = catalog["repositories"].as_array().expect("a list");
        let tags = |name: &serde_json::Value| {
            let target = format!("/v2/{}/tags/list", name.as_str().expect("a name"));
            json(&server.ask("GET", &target, &[]).1)["tags"].as_array().map_or(0, Vec::len)
        };
        if repositories.iter().map(tags).sum::<usize>() == 0 {
            // No registry lists what has no tag; it is told, and stands there by its digest.
            let lines = server.lines.lock().expect("alone");
            let name = lines.recv_timeout(WAIT).expect("a name");
            let (code, said) = restow(&["inspect", &format!("docker://{}", name.trim())]);
            assert_eq!(code, Some(0), "{place}: {name}: {said}");
            continue;
        }
        let (code, said) = restow(&["compare", "--ignore", "names", &there, &place]);
        // What refers to nothing that has a name is not listed by a registry, nor are children that are not there.
        assert_eq!(code, Some(0), "{place}:\n{said}");
        assert_eq!(server.end().0, Some(0), "{place}");
    }
    assert!(served > 40, "{served} served, refused:\n{}", refused.join("\n"));
    assert!(refused.len() < 6, "refused:\n{}", refused.join("\n"));
}

/// What the conformance suite of the distribution-spec asks of pulling, of listing tags, and of referrers.
#[test]
fn the_pull_side_of_the_specification() {
    let multi = format!("many/app:v1={}", corpus("good/oci/multiplatform-attestation-nested/archive.tar"));
    let server = Served::start(&[&multi]);
    assert_eq!(server.status("GET", "/v2/", &[]), 200);
    let (head, index) = server.ask("GET", "/v2/many/app/manifests/v1", &["Accept: */*"]);
    let digest = header(&head, "Docker-Content-Digest").expect("a digest").to_owned();
    assert_eq!((status(&head), Digest::sha256(&index).to_string()), (200, digest.clone()));
    assert_eq!(header(&head, "Content-Type"), json(&index)["mediaType"].as_str());
    let by_digest = format!("/v2/many/app/manifests/{digest}");
    assert_eq!(server.ask("GET", &by_digest, &[]).1, index);
    let (asked, nothing) = server.ask("HEAD", &by_digest, &[]);
    assert!(status(&asked) == 200 && nothing.is_empty());
    assert_eq!(header(&asked, "Content-Length"), Some(&index.len().to_string()[..]));
    assert_eq!(server.status("GET", &by_digest, &[&format!("If-None-Match: \"{digest}\"")]), 304);
    // A colon may be escaped.
    assert_eq!(server.status("GET", &by_digest.replace("sha256:", "sha256%3A"), &[]), 200);
    // Who takes no index gets the image that Docker's registry would choose, by a tag only.
    let child = json(&index)["manifests"][0]["mediaType"].as_str().expect("a type").to_owned();
    let only = format!("Accept: {child}");
    let (head, manifest) = server.ask("GET", "/v2/many/app/manifests/v1", &[&only]);
    if status(&head) == 200 {
        assert_eq!(header(&head, "Content-Type"), Some(&child[..]));
        assert_ne!(manifest, index);
    }
    assert_eq!(server.status("GET", &by_digest, &["Accept: application/x"]), 404);
    // Every document and blob below.
    let mut open = vec![index.clone()];
    let mut blobs = 0;
    while let Some(document) = open.pop() {
        let document = json(&document);
        for child in document["manifests"].as_array().into_iter().flatten() {
            let digest = child["digest"].as_str().expect("a digest");
            let (head, bytes) = server.ask("GET", &format!("/v2/many/app/manifests/{digest}"), &[]);
            if status(&head) == 200 {
                assert_eq!(Digest::sha256(&bytes).as_str(), digest);
                open.push(bytes);
            }
        }
        for blob in document["layers"].as_array().into_iter().flatten().chain([&document["config"]]) {
            let Some(digest) = blob["digest"].as_str() else { continue };
            let target = format!("/v2/many/app/blobs/{digest}");
            let (head, bytes) = server.ask("GET", &target, &[]);
            assert_eq!((status(&head), Digest::sha256(&bytes).as_str()), (200, digest));
            let (head, part) = server.ask("GET", &target, &["Range: bytes=2-5"]);
            if bytes.len() > 5 {
                assert_eq!((status(&head), &part[..]), (206, &bytes[2..6]));
                assert_eq!(header(&head, "Content-Range"), Some(&format!("bytes 2-5/{}", bytes.len())[..]));
            }
            let rest = format!("Range: bytes={}-", bytes.len() / 2);
            assert_eq!(server.ask("GET", &target, &[&rest]).1, bytes[bytes.len() / 2..]);
            assert_eq!(server.status("GET", &target, &["Range: bytes=99999999-"]), 416);
            let other = ["Range: bytes=2-5", "If-Range: \"other\""];
            assert_eq!(
                server.ask("GET", &target, &other).1,
                bytes,
                "a part of what it was is no part of what it is"
            );
            assert_eq!(server.ask("HEAD", &target, &[]).1, b"");
            blobs += 1;
        }
    }
    assert!(blobs >= 4, "{blobs} blobs");
    // What is not there.
    let none = "0".repeat(64);
    for (target, code) in [
        ("/v2/many/app/manifests/none", "MANIFEST_UNKNOWN"),
        (&format!("/v2/many/app/manifests/sha256:{none}")[..], "MANIFEST_UNKNOWN"),
        (&format!("/v2/many/app/blobs/sha256:{none}"), "BLOB_UNKNOWN"),
        ("/v2/other/manifests/v1", "NAME_UNKNOWN"),
        ("/v2/other/tags/list", "NAME_UNKNOWN"),
    ] {
        let (head, body) = server.ask("GET", target, &[]);
        assert_eq!((status(&head), json(&body)["errors"][0]["code"].as_str()), (404, Some(code)), "{target}");
    }
    assert_eq!(server.status("GET", "/v2/many/app/blobs/sha256:short", &[]), 400);
    // Nothing is written.
    for (method, target) in [
        ("POST", "/v2/many/app/blobs/uploads/"),
        ("PUT", "/v2/many/app/manifests/v1"),
        ("PATCH", "/v2/many/app/blobs/uploads/1"),
        ("DELETE", &by_digest),
    ] {
        let (head, body) = server.ask(method, target, &["Content-Length: 5"]);
        assert_eq!((status(&head), header(&head, "Allow")), (405, Some("GET, HEAD")), "{method}");
        assert!(json(&body)["errors"][0]["message"].as_str().is_some_and(|why| why.contains("read-only")));
    }
    assert_eq!(json(&server.ask("GET", "/v2/many/app/tags/list", &[]).1)["tags"], serde_json::json!(["v1"]));
    assert_eq!(server.ask("GET", "/healthz", &[]).1, b"ok\n");
    let metrics = String::from_utf8(server.ask("GET", "/metrics", &[]).1).expect("text");
    assert!(metrics.contains("restow_requests_total{method=\"DELETE\",status=\"405\"} 1"), "{metrics}");
}

#[test]
fn referrers_are_listed_and_filtered() {
    let server = Served::start(&[&corpus("good/oci/referrers/archive")]);
    let catalog = json(&server.ask("GET", "/v2/_catalog", &[]).1);
    let name = catalog["repositories"][0].as_str().expect("a repository").to_owned();
    let tags = json(&server.ask("GET", &format!("/v2/{name}/tags/list"), &[]).1);
    let found = tags["tags"].as_array().expect("tags").iter().find_map(|tag| {
        let target = format!("/v2/{name}/manifests/{}", tag.as_str()?);
        let digest = header(&server.ask("HEAD", &target, &[]).0, "Docker-Content-Digest")?.to_owned();
        let list = json(&server.ask("GET", &format!("/v2/{name}/referrers/{digest}"), &[]).1);
        let all = list["manifests"].as_array()?.clone();
        (!all.is_empty()).then_some((digest, all))
    });
    let (digest, all) = found.expect("something refers to an image");
    for one in &all {
        let target = format!("/v2/{name}/manifests/{}", one["digest"].as_str().expect("a digest"));
        let bytes = server.ask("GET", &target, &[]).1;
        assert_eq!(
            (json(&bytes)["subject"]["digest"].as_str(), one["size"].as_u64()),
            (Some(&digest[..]), Some(bytes.len() as u64))
        );
    }
    let kind = all[0]["artifactType"].as_str().expect("a type").replace('+', "%2B");
    let (head, body) = server.ask("GET", &format!("/v2/{name}/referrers/{digest}?artifactType={kind}"), &[]);
    assert_eq!(header(&head, "OCI-Filters-Applied"), Some("artifactType"));
    assert!(
        json(&body)["manifests"].as_array().is_some_and(|some| !some.is_empty() && some.len() <= all.len())
    );
    let (_, body) = server.ask("GET", &format!("/v2/{name}/referrers/{digest}?artifactType=none"), &[]);
    assert_eq!(json(&body)["manifests"], serde_json::json!([]));
    let unknown = format!("/v2/{name}/referrers/sha256:{}", "0".repeat(64));
    assert_eq!(json(&server.ask("GET", &unknown, &[]).1)["manifests"], serde_json::json!([]));
}

/// Pages of tags, and of repositories, followed by their links.
#[test]
fn lists_come_in_pages() {
    let place = corpus("good/oci/podman/archive.tar");
    let names = ["b:3", "b:1", "b:2", "a:1", "c/d:1"].map(|name| format!("{name}={place}"));
    let server = Served::start(&names.each_ref().map(|name| &name[..]));
    let walk = |first: &str, key: &str| {
        let (mut target, mut all) = (first.to_owned(), Vec::new());
        for _ in 0..9 {
            let (head, body) = server.ask("GET", &target, &[]);
            let list = json(&body)[key].as_array().expect("a list").clone();
            assert!(list.len() <= 2);
            all.extend(list.iter().map(|name| name.as_str().expect("a name").to_owned()));
            let Some(link) = header(&head, "Link") else { break };
            target = link.split(['<', '>']).nth(1).expect("a link").to_owned();
        }
        all
    };
    assert_eq!(walk("/v2/_catalog?n=2", "repositories"), ["a", "b", "c/d"]);
    assert_eq!(walk("/v2/b/tags/list?n=1", "tags"), ["1", "2", "3"]);
    assert_eq!(walk("/v2/b/tags/list?n=2&last=1", "tags"), ["2", "3"]);
}

/// What changes meanwhile never passes as whole.
#[test]
fn a_blob_that_changes_is_not_served() {
    let at = tempfile::tempdir().expect("temporary directory");
    let layout = at.path().join("layout");
    let place = format!("oci:{}", layout.display());
    assert_eq!(restow(&["convert", &corpus("good/oci/two-layers/archive"), &place]).0, Some(0));
    let log = at.path().join("log");
    let server = Served::start(&["--access-log", &log.display().to_string(), &format!("app:1={place}")]);
    let (_, manifest) = server.ask("GET", "/v2/app/manifests/1", &[]);
    let digest = json(&manifest)["layers"][0]["digest"].as_str().expect("a layer").to_owned();
    let target = format!("/v2/app/blobs/{digest}");
    let (_, whole) = server.ask("GET", &target, &[]);
    assert_eq!(Digest::sha256(&whole).to_string(), digest);
    let file = layout.join("blobs").join(digest.replace(':', "/"));
    let mut bytes = whole.clone();
    bytes[0] ^= 1;
    std::fs::write(&file, &bytes).expect("changed");
    let (head, came) = server.ask("GET", &target, &[]);
    assert_eq!(header(&head, "Content-Length"), Some(&whole.len().to_string()[..]));
    assert!(came.len() < whole.len(), "a changed blob came to its end");
    std::fs::remove_file(&file).expect("removed");
    assert!(server.ask("GET", &target, &[]).1.len() < whole.len(), "a blob that is gone");
    let (code, _) = server.end();
    assert_eq!(code, Some(0));
    let log = std::fs::read_to_string(&log).expect("a log");
    let lines: Vec<_> = log.lines().map(|line| json(line.as_bytes())).collect();
    assert_eq!(lines.iter().filter(|line| line["broken"].is_string()).count(), 2, "{log}");
    assert!(lines.iter().all(|line| line["target"].is_string() && line["status"] == 200), "{log}");
}

/// Names, places that are wrong, and two images of one name.
#[test]
fn what_cannot_be_served_is_said_before_anything_listens() {
    let good = corpus("good/oci/podman/archive.tar");
    let broken = corpus("bad/blob/digest-mismatch/archive.tar");
    let refused = |arguments: &[&str]| Served::try_start(arguments).err().expect("it is refused");
    let (code, said) = refused(&[&good, &broken]);
    assert!(code == Some(1) && said.contains("digest") && said.contains("nothing is served"), "{said}");
    let (code, said) = refused(&["-q", &broken]);
    assert!(code == Some(1) && said.contains("digest"), "quiet is not silent about what is wrong: {said}");
    let other = format!("a:1={}", corpus("good/oci/two-layers/archive"));
    let (code, said) = refused(&[&format!("a:1={good}"), &other]);
    assert!(code == Some(2) && said.contains("a:1 would name"), "{said}");
    // The same image twice is one.
    drop(Served::start(&[&format!("a:1={good}"), &format!("a:1={good}")]));
    let (code, said) = refused(&[&format!("UPPER={good}")]);
    assert!(code == Some(2) && said.contains("`UPPER` is no name"), "{said}");
    let at = tempfile::tempdir().expect("temporary directory");
    let users = at.path().join("users").display().to_string();
    std::fs::write(&users, "anna:$apr1$salt$notbcrypt\n").expect("written");
    let (code, said) = refused(&["--htpasswd", &users, &good]);
    assert!(code == Some(2) && said.contains("bcrypt"), "{said}");
    let (code, said) = refused(&["--tls-cert", &good, "--tls-key", &good, &good]);
    assert!(code == Some(2) && said.contains("TLS"), "{said}");
}

#[test]
#[allow(clippy::print_stderr, reason = "a tool that is missing is told")]
fn users_and_tls() {
    let at = tempfile::tempdir().expect("temporary directory");
    let path = |name: &str| at.path().join(name).display().to_string();
    let (users, cert, key) = (path("users"), path("cert"), path("key"));
    let tool = |name: &str, arguments: &[&str]| {
        Command::new(name).args(arguments).output().is_ok_and(|o| o.status.success())
    };
    let subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    let request = [
        &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", &key, "-out", &cert][..],
        &subject,
    ]
    .concat();
    if !tool("htpasswd", &["-Bbc", &users, "anna", "secret-7"]) || !tool("openssl", &request) {
        eprintln!("skipped: no htpasswd or openssl");
        return;
    }
    let place = format!("app:1={}", corpus("good/oci/podman/archive.tar"));
    let server = Served::start(&["--htpasswd", &users, "--tls-cert", &cert, "--tls-key", &key, &place]);
    let there = format!("docker://{}/app:1", server.address);
    let (code, said) = restow(&["check", "--ca", &cert, "--creds", "anna:secret-7", &there]);
    assert_eq!(code, Some(0), "{said}");
    for wrong in ["anna:secret-8", "bert:secret-7", "anna:"] {
        let (code, said) = restow(&["check", "--ca", &cert, "--creds", wrong, &there]);
        assert!(code == Some(2) && !said.contains("secret"), "{said}");
    }
    let (code, said) = restow(&["check", "--creds", "anna:secret-7", &there]);
    assert!(code == Some(2) && said.contains("certificate"), "{said}");
    let server = Served::start(&["--htpasswd", &users, &place]);
    assert_eq!(server.status("GET", "/v2/", &[]), 401);
    assert_eq!(server.status("GET", "/metrics", &[]), 401);
    assert_eq!(server.status("GET", "/healthz", &[]), 200);
    // anna:secret-7
    assert_eq!(server.status("GET", "/v2/", &["Authorization: Basic YW5uYTpzZWNyZXQtNw=="]), 200);
    assert_eq!(server.status("GET", "/v2/", &["Authorization: Bearer x"]), 401);
}

/// Each limit at its border, and clients that do nothing.
#[test]
fn clients_have_limits() {
    let place = format!("app:1={}", corpus("good/oci/podman/archive.tar"));
    let limits =
        ["clients=2", "request-bytes=500", "request-seconds=1"].map(|limit| format!("--limit={limit}"));
    let arguments: Vec<&str> = limits.iter().map(String::as_str).chain([&place[..]]).collect();
    let server = Served::start(&arguments);
    // Two hold their connections and say nothing; the third is answered once their time is over.
    let idle: Vec<TcpStream> =
        (0..2).map(|_| TcpStream::connect(server.address).expect("it listens")).collect();
    let began = Instant::now();
    assert_eq!(server.status("GET", "/v2/", &[]), 200);
    assert!(began.elapsed() >= Duration::from_millis(500), "a third was answered beside two");
    drop(idle);
    // A letter now and then does not help.
    let mut slow = TcpStream::connect(server.address).expect("it listens");
    slow.set_read_timeout(Some(WAIT)).expect("a socket");
    let began = Instant::now();
    let mut ended = false;
    for letter in b"GET /v2/ HTTP/1.1\r\nHost: a-name-that-never-ends" {
        ended |= slow.write_all(&[*letter]).is_err();
        std::thread::sleep(Duration::from_millis(100));
        if ended || began.elapsed() > Duration::from_secs(20) {
            break;
        }
    }
    let mut said = Vec::new();
    let _ = slow.read_to_end(&mut said);
    assert!(began.elapsed() < Duration::from_secs(20), "a slow client held its connection");
    let long = |n: usize| format!("A: {}", "a".repeat(n));
    let rest = "GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nA: \r\n\r\n".len();
    assert_eq!(server.status("GET", "/v2/", &[&long(500 - rest)]), 200);
    assert_eq!(server.status("GET", "/v2/", &[&long(501 - rest)]), 431);
    // A client that goes away in the middle, and one that sends no HTTP.
    let mut gone = TcpStream::connect(server.address).expect("it listens");
    gone.write_all(b"GET /v2/ HTTP/1.1\r\n").expect("sent");
    drop(gone);
    let mut odd = TcpStream::connect(server.address).expect("it listens");
    odd.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").expect("sent");
    let mut said = String::new();
    let _ = odd.read_to_string(&mut said);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
    assert_eq!(server.status("GET", "/v2/", &[]), 200);
}

/// Two hundred at once, each of whom gets all of it; the end waits for what is under way.
#[test]
fn many_clients_and_a_gentle_end() {
    let server = Served::start(&[&format!("app:1={}", corpus("good/oci/three-layers/archive"))]);
    let (_, manifest) = server.ask("GET", "/v2/app/manifests/1", &[]);
    let digest = json(&manifest)["layers"][0]["digest"].as_str().expect("a layer").to_owned();
    let target = format!("/v2/app/blobs/{digest}");
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..200).map(|_| scope.spawn(|| server.ask("GET", &target, &[]).1)).collect();
        for client in clients {
            assert_eq!(Digest::sha256(&client.join().expect("an answer")).to_string(), digest);
        }
    });
    // Connections that wait for nothing are closed at the end, which is no failure.
    let idle = TcpStream::connect(server.address).expect("it listens");
    let (code, last) = server.end();
    assert_eq!((code, &last[..]), (Some(0), "ended after 201 requests"));
    drop(idle);
}

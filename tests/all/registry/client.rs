//! The client alone: what it asks, what it takes, what it says.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use restow::digest::Digest;
use restow::distribution::*;
use restow::http::{Client, Environment, Options, Secret};
use restow::limits::Limits;

use super::server::{Act, Auth, Manner, Server};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn options() -> Options {
    let mut limits = Limits::default();
    (limits.wait_seconds, limits.connect_seconds) = (2, 2);
    let mut options = Options::new(&limits, Environment::default());
    options.retry_times = 2;
    options
}

fn registries(options: Options, login: Option<(&Server, &str)>) -> Arc<Registries> {
    let mut credentials = Credentials::none();
    if let Some((server, pair)) = login {
        let (user, password) = pair.split_once(':').expect("a pair");
        let credential = Credential::Password { user: user.into(), password: Secret::new(password) };
        credentials.give(&server.address, credential, "--creds");
    }
    Registries::new(Client::new(options), credentials, Config::default())
}

fn open(server: &Server) -> Repository {
    registries(options(), None).repository(&server.address, "team/app").expect("reachable")
}

fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 % 251) as u8).collect()
}

fn read(repository: &Repository, digest: &Digest, size: usize) -> Result<Vec<u8>, String> {
    let reader = repository.blob(digest, Some(size as u64)).map_err(|fault| fault.to_string())?;
    let mut found = Vec::new();
    reader.ok_or("absent")?.read_to_end(&mut found).map_err(|error| error.to_string())?;
    Ok(found)
}

#[test]
fn manifests_are_read_by_tag_and_digest() {
    let server = Server::start(Manner::default());
    let digest = server.manifest("team/app", Some("v1"), OCI, b"{}");
    let repository = open(&server);
    for reference in ["v1", digest.as_str()] {
        let found = repository.manifest(reference).expect("asked").expect("there");
        assert_eq!((found.bytes.as_slice(), found.media_type.as_deref()), (&b"{}"[..], Some(OCI)));
        assert_eq!(found.digest, Some(digest.clone()));
        let head = repository.head(reference).expect("asked").expect("there");
        assert_eq!((head.digest, head.size), (Some(digest.clone()), Some(2)));
    }
    assert!(repository.manifest("v2").expect("asked").is_none());
    assert!(repository.head("v2").expect("asked").is_none());
}

#[test]
fn a_download_that_breaks_goes_on() {
    let (blob, size) = (bytes(3_000_000), 3_000_000);
    let server = Server::start(Manner::default());
    let digest = server.blob("team/app", &blob);
    server.plant("GET", "/blobs/", 1, Act::Cut(1_000_000));
    server.plant("GET", "/blobs/", 1, Act::Cut(500_000));
    assert_eq!(read(&open(&server), &digest, size).expect("whole"), blob);
    let ranges: Vec<Option<String>> = server
        .state()
        .seen
        .iter()
        .filter(|seen| seen.target.contains("/blobs/"))
        .map(|seen| seen.range.clone())
        .collect();
    assert_eq!(ranges, [None, Some("bytes=1000000-".into()), Some("bytes=1500000-".into())]);
    // Where a range is not known, what was read is passed over.
    server.plant("GET", "/blobs/", 1, Act::Cut(1_000_000));
    server.plant("GET", "/blobs/", 1, Act::WholeAnyway);
    assert_eq!(read(&open(&server), &digest, size).expect("whole"), blob);
    assert_eq!(server.left(), 0);
    // And it ends.
    server.plant("GET", "/blobs/", 1000, Act::Cut(10));
    let error = read(&open(&server), &digest, size).expect_err("never whole");
    assert!(error.contains(&digest.to_string()) && error.contains("ends after 10 of"), "{error}");
}

#[test]
fn what_passes_is_tried_again() {
    let server = Server::start(Manner::default());
    let digest = server.blob("team/app", b"blob");
    server.manifest("team/app", Some("v1"), OCI, b"{}");
    let repository = open(&server);
    for act in [
        Act::Status(500, vec![], String::new()),
        Act::Status(503, vec![("Retry-After", "1".into())], String::new()),
        Act::Status(429, vec![], String::new()),
        Act::Hang,
        Act::Cut(1),
    ] {
        server.plant("GET", "/manifests/", 2, act.clone());
        assert!(repository.manifest("v1").expect("in the end").is_some(), "{act:?}");
        server.plant("GET", "/blobs/", 2, act.clone());
        assert_eq!(read(&repository, &digest, 4).expect("in the end"), b"blob", "{act:?}");
        assert_eq!(server.left(), 0, "{act:?}");
    }
    server.plant("GET", "/manifests/", 3, Act::Status(502, vec![], "<html>".into()));
    let fault = repository.manifest("v1").expect_err("too often");
    assert_eq!(fault.to_string(), format!("{0}/team/app:v1: {0} answers 502", server.address));
    server.plant(
        "GET",
        "/manifests/",
        1,
        Act::Status(429, vec![("Retry-After", "3600".into())], String::new()),
    );
    let fault = repository.manifest("v1").expect_err("too long").to_string();
    assert!(fault.ends_with("asks to wait 3600 s, the limit retry-seconds is 300"), "{fault}");
}

#[test]
fn nothing_is_waited_for_without_end() {
    let server = Server::start(Manner::default());
    let digest = server.blob("team/app", &bytes(100_000));
    server.manifest("team/app", Some("v1"), OCI, &bytes(5000));
    let mut options = options();
    options.retry_times = 0;
    let repository = registries(options, None).repository(&server.address, "team/app").expect("reachable");
    for act in [Act::Silent, Act::Drip, Act::Endless] {
        let start = Instant::now();
        server.plant("GET", "/blobs/", 1, act.clone());
        let error = read(&repository, &digest, 100_000).expect_err("no end");
        assert!(error.contains(&server.address), "{error}");
        server.plant("GET", "/manifests/", 1, act.clone());
        let fault = repository.manifest("v1").expect_err("no end").to_string();
        assert!(fault.contains("team/app:v1"), "{fault}");
        assert!(start.elapsed() < Duration::from_secs(20), "{act:?}: {:?}", start.elapsed());
    }
    assert_eq!(server.left(), 0);
}

#[test]
fn lengths_may_lie_or_be_absent() {
    let server = Server::start(Manner { sparse_answers: true, ..Manner::default() });
    let digest = server.blob("team/app", b"0123456789");
    let repository = open(&server);
    assert_eq!(repository.has_blob(&digest).expect("asked"), Some(BlobFound { size: None }));
    server.plant("GET", "/blobs/", 1, Act::Lengthless);
    assert_eq!(read(&repository, &digest, 10).expect("whole"), b"0123456789");
    server.plant("GET", "/blobs/", 1, Act::Length(4));
    // Whoever hashes it finds that it is too short.
    assert_eq!(read(&repository, &digest, 10).expect("what was announced"), b"0123");
    server.plant("GET", "/blobs/", 1, Act::Length(400));
    let error = read(&repository, &digest, 10);
    assert!(error.is_err() || error.is_ok_and(|found| found.len() == 10));
    // Nor is what was altered on the way held back: it is for who hashes it.
    server.plant("GET", "/blobs/", 1, Act::Flip);
    assert_eq!(read(&repository, &digest, 10).expect("as it comes"), b"012345678\x38");
    server.manifest("team/app", None, OCI, b"{}");
    assert_eq!(repository.tags().expect("asked"), Some(vec![]));
}

#[test]
fn manifests_have_a_limit_and_are_no_pages() {
    let server = Server::start(Manner::default());
    server.manifest("team/app", Some("big"), OCI, &bytes(100 << 20));
    let repository = open(&server);
    let fault = repository.manifest("big").expect_err("too long");
    assert!(matches!(fault, Fault::Limit { name: "document-bytes", .. }), "{fault}");
    assert!(fault.to_string().contains("team/app:big"), "{fault}");
    for path in ["/manifests/", "/tags/"] {
        server.plant(
            "GET",
            path,
            1,
            Act::Status(200, vec![("Content-Type", "text/html".into())], "<html>login</html>".into()),
        );
    }
    let fault = repository.manifest("v").expect_err("a page").to_string();
    assert!(fault.ends_with("answers with HTML instead of JSON"), "{fault}");
    assert!(
        repository.tags().expect_err("a page").to_string().ends_with("answers with HTML instead of JSON")
    );
}

#[test]
fn lists_come_in_pages_and_end() {
    for absolute in [false, true] {
        let server = Server::start(Manner { page: Some(2), absolute, ..Manner::default() });
        for tag in ["a", "b", "c", "d", "e"] {
            server.manifest("team/app", Some(tag), OCI, b"{}");
        }
        server.manifest("other", Some("x"), OCI, b"{}");
        let repository = open(&server);
        assert_eq!(repository.tags().expect("asked").expect("there"), ["a", "b", "c", "d", "e"]);
        assert_eq!(server.count("GET", "/tags/list"), 3);
        let all = repository.registries().catalog(&server.address).expect("asked");
        assert_eq!(all, ["other", "team/app"]);
    }
    let server = Server::start(Manner::default());
    let link = ("Link", "</v2/team/app/tags/list?n=1000>; rel=\"next\"".to_owned());
    server.plant("GET", "app/tags/list", 1000, Act::Status(200, vec![link], r#"{"tags":["a"]}"#.into()));
    let fault = open(&server).tags().expect_err("without end").to_string();
    assert!(fault.contains("begins anew without end"), "{fault}");
    assert!(
        registries(options(), None)
            .repository(&server.address, "none")
            .expect("reachable")
            .tags()
            .is_ok_and(|tags| tags.is_none())
    );
}

#[test]
fn passwords_and_tokens() {
    let pair = "user:pass word";
    for auth in [
        Auth::Basic(pair.into()),
        Auth::Bearer { pair: pair.into(), anonymous: false, expires_in: None },
        Auth::Bearer { pair: pair.into(), anonymous: true, expires_in: Some(1) },
    ] {
        let server = Server::start(Manner { auth: auth.clone(), referrers: true, ..Manner::default() });
        let digest = server.manifest("team/app", Some("v1"), OCI, b"{}");
        let blob = server.blob("team/app", b"blob");
        let shared = registries(options(), Some((&server, pair)));
        let repository = shared.repository(&server.address, "team/app").expect("reachable");
        assert!(repository.manifest("v1").expect("granted").is_some(), "{auth:?}");
        assert_eq!(read(&repository, &blob, 4).expect("granted"), b"blob");
        assert!(repository.referrers(&digest).expect("granted").found.is_empty());
        let mut writer = BlobWriter::new(&repository, None, None);
        writer.write(b"new").expect("written");
        writer.finish(&Digest::sha256(b"new"), 3).expect("granted");
        repository.put("v2", OCI, b"{ }").expect("granted");
        assert_eq!(shared.catalog(&server.address).expect("granted"), ["team/app"]);
        if auth == (Auth::Bearer { pair: pair.into(), anonymous: false, expires_in: None }) {
            assert_eq!(
                server.count("GET", "/token"),
                3,
                "one for pulling, one for pushing, one for the list"
            );
        }
        // A token that is refused in the middle is replaced.
        server.plant("GET", "/manifests/", 1, Act::Void);
        assert!(repository.manifest("v1").expect("granted").is_some(), "{auth:?}");

        let wrong = registries(options(), Some((&server, "user:hunter22")));
        let wrong = wrong.repository(&server.address, "team/app").expect("reachable");
        let fault = wrong.put("v2", OCI, b"{ }").expect_err("refused");
        assert!(matches!(&fault, Fault::Unauthorized { shown: Some(_), .. }), "{fault}");
        let told = format!("{fault} {fault:?} {:?}", fault.help());
        assert!(told.contains("user (from --creds)") && !told.contains("hunter22"), "{told}");
        let nobody = open(&server);
        let fault = nobody.put("v2", OCI, b"{ }").expect_err("refused");
        assert!(matches!(&fault, Fault::Unauthorized { shown: None, .. }), "{fault}");
        assert!(fault.help().expect("help").contains(&format!("skopeo login {}", server.address)));
        let pulled = nobody.manifest("v1");
        assert_eq!(pulled.is_ok(), matches!(auth, Auth::Bearer { anonymous: true, .. }), "{pulled:?}");
    }
}

#[test]
fn a_secret_that_is_repeated_is_not_shown() {
    let server = Server::start(Manner { auth: Auth::Basic("u:right".into()), ..Manner::default() });
    let shared = registries(options(), Some((&server, "u:hunter22")));
    let repository = shared.repository(&server.address, "a").expect("reachable");
    let header = vec![("WWW-Authenticate", "Basic realm=x".to_owned())];
    let said = r#"{"errors":[{"code":"NO","message":"not hunter22 nor dTpodW50ZXIyMg=="}]}"#;
    server.plant("GET", "/manifests/", 9, Act::Status(401, header, said.into()));
    let fault = repository.manifest("v").expect_err("refused").to_string();
    assert!(fault.ends_with("NO not (secret) nor (secret)"), "{fault}");
}

#[test]
fn credentials_stay_with_their_host() {
    let store = Server::start(Manner::default());
    let elsewhere = format!("http://{}", store.address);
    let auth = Auth::Basic("u:p".into());
    let server = Server::start(Manner { auth, store: Some(elsewhere.clone()), ..Manner::default() });
    let digest = server.blob("team/app", b"blob");
    store.blob("team/app", b"blob");
    let shared = registries(options(), Some((&server, "u:p")));
    let repository = shared.repository(&server.address, "team/app").expect("reachable");
    store.plant("GET", "/store/", 1, Act::Cut(1));
    assert_eq!(read(&repository, &digest, 4).expect("redirected"), b"blob");
    assert_eq!(store.count("GET", "/store/"), 2);
    assert!(store.state().seen.iter().all(|seen| seen.authorization.is_none()));
    // Nor do uploads take them along.
    let location = vec![("Location", format!("{elsewhere}/v2/team/app/blobs/uploads/x"))];
    server.plant("POST", "/uploads/", 1, Act::Status(202, location, String::new()));
    store.plant("PUT", "/uploads/", 1, Act::Status(201, vec![], String::new()));
    let mut writer = BlobWriter::new(&repository, None, None);
    writer.write(b"new").expect("written");
    writer.finish(&Digest::sha256(b"new"), 3).expect("taken");
    assert_eq!(store.count("PUT", "/uploads/x?digest="), 1);
    assert!(store.state().seen.iter().all(|seen| seen.authorization.is_none()));
}

#[test]
fn redirects_end_and_lead_to_no_plain_http() {
    let server = Server::start(Manner::default());
    let repository = open(&server);
    let to = |location: String| Act::Status(307, vec![("Location", location)], String::new());
    server.plant("GET", "/manifests/loop", 1000, to("/v2/team/app/manifests/loop".into()));
    let fault = repository.manifest("loop").expect_err("without end").to_string();
    assert!(fault.ends_with("redirects more than 5 times"), "{fault}");
    server.plant("GET", "/manifests/away", 1, to("http://registry.example/x".into()));
    let fault = repository.manifest("away").expect_err("plain").to_string();
    assert!(fault.ends_with("registry.example: plain HTTP is refused"), "{fault}");
    server.plant("GET", "/manifests/odd", 1, to("ftp://x/".into()));
    let fault = repository.manifest("odd").expect_err("no address").to_string();
    assert!(fault.ends_with("the address in Location is neither http nor https"), "{fault}");
}

#[test]
fn referrers_by_api_and_by_tag() {
    let subject = Digest::sha256(b"{}");
    let referrer = format!(r#"{{"subject":{{"digest":"{subject}"}}}}"#);
    let server = Server::start(Manner { referrers: true, ..Manner::default() });
    let digest = server.manifest("team/app", None, OCI, referrer.as_bytes());
    let found = open(&server).referrers(&subject).expect("asked");
    assert_eq!(found.found, [(digest.clone(), Some(OCI.to_owned()))]);
    assert!(found.fallback.is_none());

    let server = Server::start(Manner::default());
    server.manifest("team/app", None, OCI, referrer.as_bytes());
    let list =
        format!(r#"{{"manifests":[{{"mediaType":"{OCI}","digest":"{digest}"}},{{"digest":"{digest}"}}]}}"#);
    server.manifest("team/app", Some(&fallback_tag(&subject)), INDEX, list.as_bytes());
    let repository = open(&server);
    let found = repository.referrers(&subject).expect("asked");
    assert_eq!(found.found, [(digest, Some(OCI.to_owned()))]);
    assert_eq!(found.fallback.as_deref(), Some(list.as_bytes()));
    assert!(repository.referrers(&Digest::sha256(b"other")).expect("asked").found.is_empty());
    assert_eq!(server.count("GET", "/referrers/"), 1, "a 404 is remembered");
}

fn push(repository: &Repository, bytes: &[u8], known: bool) -> Result<Digest, Fault> {
    let digest = Digest::sha256(bytes);
    let expected = known.then(|| (digest.clone(), bytes.len() as u64));
    let mut writer = BlobWriter::new(repository, expected, None);
    for part in bytes.chunks(100_000) {
        writer.write(part)?;
    }
    writer.finish(&digest, bytes.len() as u64)?;
    Ok(digest)
}

fn stored(server: &Server, digest: &Digest) -> Option<Vec<u8>> {
    server.state().blobs.get(&("team/app".to_owned(), digest.to_string())).map(|bytes| bytes.to_vec())
}

#[test]
fn uploads_in_one_piece_and_in_pieces() {
    for absolute in [false, true] {
        for size in [0, 1, 100, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 9 << 20] {
            for known in [true, false] {
                let server = Server::start(Manner { absolute, ..Manner::default() });
                let blob = bytes(size);
                let digest = push(&open(&server), &blob, known).expect("taken");
                assert!(stored(&server, &digest).is_some_and(|found| found == blob), "{size} {known}");
                let pieces = if known || size <= 4 << 20 { 0 } else { size.div_ceil(4 << 20) };
                assert_eq!(server.count("PATCH", "/uploads/"), pieces, "{size} {known}");
            }
        }
    }
}

#[test]
fn pieces_that_break_are_sent_again_from_where_they_broke() {
    let blob = bytes(10 << 20);
    for act in [
        Act::Take(1_000_000),
        Act::TakeAndHang(1_000_000),
        Act::Hang,
        Act::Status(500, vec![], String::new()),
        Act::Status(416, vec![], String::new()),
    ] {
        let server = Server::start(Manner::default());
        server.plant("PATCH", "/uploads/", 1, act.clone());
        let digest = push(&open(&server), &blob, false).unwrap_or_else(|fault| panic!("{act:?}: {fault}"));
        assert!(stored(&server, &digest).is_some_and(|found| found == blob), "{act:?}");
    }
    let server = Server::start(Manner::default());
    server.plant("PATCH", "/uploads/", 1000, Act::Hang);
    assert!(push(&open(&server), &blob, false).is_err());
    assert!(server.state().blobs.is_empty());
}

#[test]
fn a_host_that_takes_no_large_blob_gets_pieces() {
    let server = Server::start(Manner { most: Some(4 << 20), ..Manner::default() });
    let blob = bytes(9 << 20);
    let repository = open(&server);
    let fault = push(&repository, &blob, true).expect_err("too large in one piece");
    assert!(fault.is_passing(), "{fault}");
    let digest = push(&repository, &blob, true).expect("in pieces");
    assert!(stored(&server, &digest).is_some_and(|found| found == blob));
}

#[test]
fn what_is_given_up_is_not_there() {
    let server = Server::start(Manner::default());
    let repository = open(&server);
    let blob = bytes(6 << 20);
    let digest = Digest::sha256(&blob);
    let mut writer = BlobWriter::new(&repository, Some((digest.clone(), blob.len() as u64)), None);
    writer.write(&blob).expect("written");
    drop(writer);
    let mut writer = BlobWriter::new(&repository, Some((digest.clone(), blob.len() as u64)), None);
    writer.write(&blob).expect("written");
    let fault = writer.finish(&Digest::sha256(b"other"), blob.len() as u64).expect_err("another one");
    assert!(fault.to_string().contains("to be sent as"), "{fault}");
    std::thread::sleep(Duration::from_millis(200));
    assert!(server.state().blobs.is_empty());
}

#[test]
fn blobs_are_mounted_or_sent() {
    let server = Server::start(Manner::default());
    let digest = server.blob("other", b"blob");
    let repository = open(&server);
    let mut writer = BlobWriter::new(&repository, None, None);
    assert!(writer.mount(&digest, "other").expect("asked"));
    assert!(stored(&server, &digest).is_some());
    let absent = Digest::sha256(b"absent");
    let mut writer = BlobWriter::new(&repository, Some((absent.clone(), 6)), None);
    assert!(!writer.mount(&absent, "other").expect("asked"));
    writer.write(b"absent").expect("written");
    writer.finish(&absent, 6).expect("sent");
    assert!(stored(&server, &absent).is_some());
    assert_eq!(server.count("POST", "/uploads/"), 2, "the session of the mount is used");
}

#[test]
fn a_registry_that_changes_what_it_is_given_is_told() {
    let server = Server::start(Manner::default());
    let repository = open(&server);
    let other = Digest::sha256(b"other").to_string();
    let answer = Act::Status(201, vec![("Docker-Content-Digest", other.clone())], String::new());
    server.plant("PUT", "/manifests/", 1, answer.clone());
    let fault = repository.put("v1", OCI, b"{}").expect_err("changed").to_string();
    assert!(fault.ends_with(&format!("holds {other} instead")), "{fault}");
    server.plant("PUT", "/uploads/", 1, answer);
    assert!(matches!(push(&repository, b"blob", true), Err(Fault::Altered { .. })));
}

#[test]
fn mirrors_are_asked_first_and_blocked_hosts_never() {
    let (mirror, own) = (Server::start(Manner::default()), Server::start(Manner::default()));
    mirror.manifest("cache/a", Some("v1"), OCI, b"{\"m\":1}");
    own.manifest("a", Some("v1"), OCI, b"{}");
    own.manifest("a", Some("v2"), OCI, b"{}");
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("registries.conf");
    let text = format!(
        "[[registry]]\nlocation = '{0}'\n[[registry.mirror]]\nlocation = '{1}/cache'\n[[registry]]\nprefix = '{0}/evil'\nblocked = true\n",
        own.address, mirror.address
    );
    std::fs::write(&file, text).expect("written");
    let config = Config::read(&[file]).expect("understood");
    let shared = Registries::new(Client::new(options()), Credentials::none(), config);
    let (found, manifest) = shared.find(&own.address, "a", "v1").expect("found");
    assert_eq!(
        (found.shown(), manifest.expect("there").bytes),
        (format!("{}/cache/a", mirror.address), b"{\"m\":1}".to_vec())
    );
    assert_eq!((mirror.count("GET", "/manifests/"), own.state().seen.len()), (1, 0));
    let (found, manifest) = shared.find(&own.address, "a", "v2").expect("found");
    assert_eq!((found.shown(), manifest.is_some()), (format!("{}/a", own.address), true));
    let (before, fault) =
        (own.state().seen.len(), shared.find(&own.address, "evil/x", "v1").err().expect("blocked"));
    assert!(matches!(fault, Fault::Blocked { .. }), "{fault}");
    assert!(matches!(shared.repository(&own.address, "evil/x"), Err(Fault::Blocked { .. })));
    assert_eq!(own.state().seen.len(), before, "a blocked registry is not asked");
}

#[test]
fn hosts_that_are_not_there() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let mut options = options();
    options.retry_times = 0;
    options.insecure = BTreeSet::from(["plain.invalid".to_owned()]);
    let shared = registries(options, None);
    let ask = |domain: &str| {
        let found = shared.repository(domain, "a").and_then(|repository| repository.manifest("v1"));
        found.expect_err("nobody there").to_string()
    };
    let closed = ask(&port);
    assert!(closed.contains("cannot connect: connection refused"), "{closed}");
    let unknown = ask("registry.invalid");
    assert!(unknown.contains("registry.invalid: "), "{unknown}");
    assert!(ask("plain.invalid").contains("plain.invalid: "));
}

#[test]
fn the_pace_is_kept() {
    let server = Server::start(Manner::default());
    let digest = server.blob("team/app", &bytes(300_000));
    let mut options = options();
    options.limit_rate = Some(200_000);
    let repository = registries(options, None).repository(&server.address, "team/app").expect("reachable");
    let start = Instant::now();
    assert_eq!(read(&repository, &digest, 300_000).expect("whole").len(), 300_000);
    let took = start.elapsed();
    assert!(took > Duration::from_millis(1200), "{took:?}");
}

#[test]
fn blobs_of_sha512() {
    let server = Server::start(Manner::default());
    let repository = open(&server);
    let digest = Digest::parse(&format!("sha512:{}", "0".repeat(128)))
        .expect("digest")
        .of_same_kind(b"blob")
        .expect("computed");
    let mut writer = BlobWriter::new(&repository, Some((digest.clone(), 4)), None);
    writer.write(b"blob").expect("written");
    writer.finish(&digest, 4).expect("taken");
    assert_eq!(read(&repository, &digest, 4).expect("whole"), b"blob");
}

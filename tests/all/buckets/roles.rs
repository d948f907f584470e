//! Who asks: each source of credentials, of servers that are made here, and what becomes of a run whose credentials end.
//!
//! The servers answer as the pages of the clouds say; no cloud was asked.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::store::{Act, KEY, SECRET, Store};
use super::told;
use crate::listening::Listening;
use crate::scrubbed::storage::{Storage, command};

const PLACE: &str = "registry-storage:s3://images/prod";

/// A request, as it came.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    /// With names in lower case.
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

type Answer = dyn Fn(&Asked, usize) -> (u16, String) + Send + Sync;

/// A server that gives credentials.
struct Keeper {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _listening: Listening,
}

impl Keeper {
    /// One that answers so; the number says how many were answered before.
    fn new(answer: impl Fn(&Asked, usize) -> (u16, String) + Send + Sync + 'static) -> Keeper {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (shared, answer): (_, Arc<Answer>) = (Arc::clone(&asked), Arc::new(answer));
        let listening = Listening::start(move |mut stream, _| {
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            while let Some(asked) = request(&mut reader) {
                let before = {
                    let mut all = shared.lock().expect("not poisoned");
                    all.push(asked.clone());
                    all.len() - 1
                };
                let (status, body) = answer(&asked, before);
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
                if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                    return;
                }
            }
        });
        Keeper { address: listening.at.to_string(), asked, _listening: listening }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

fn request(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.and_then(|(_, text)| text.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Asked { line: line.trim_end().to_owned(), headers, body })
}

/// A time so many seconds from now, as RFC 3339 has it.
fn after(seconds: u64) -> String {
    restow::time::rfc3339(SystemTime::now() + Duration::from_secs(seconds))
}

/// Credentials as machines and containers of Amazon get them.
fn keys(token: &str, seconds: u64) -> String {
    format!(
        "{{\"Code\":\"Success\",\"AccessKeyId\":\"{KEY}\",\"SecretAccessKey\":\"{SECRET}\",\"Token\":\"{token}\",\"Expiration\":\"{}\"}}",
        after(seconds)
    )
}

/// The metadata server of a machine of Amazon, in its second version. The number of what it gave is in the token.
fn imds(seconds: u64, broken_after: usize) -> Keeper {
    let given = Mutex::new(0);
    Keeper::new(move |asked, _| match asked.line.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["PUT", "/latest/api/token"] => {
            assert_eq!(asked.header("x-aws-ec2-metadata-token-ttl-seconds"), Some("600"));
            (200, "session-of-machine".to_owned())
        }
        _ if asked.header("x-aws-ec2-metadata-token") != Some("session-of-machine") => (401, String::new()),
        ["GET", "/latest/meta-data/iam/security-credentials/"] => (200, "scrubber".to_owned()),
        ["GET", "/latest/meta-data/iam/security-credentials/scrubber"] => {
            let mut given = given.lock().expect("not poisoned");
            *given += 1;
            if *given > broken_after {
                (404, String::new())
            } else {
                (200, keys(&format!("token-{given}"), seconds))
            }
        }
        _ => (404, String::new()),
    })
}

/// The command with these variables and no others, beside where the store is.
fn scrub(store: &Store, variables: &[(&str, &str)], more: &[&str]) -> Command {
    let mut command = command(&[&["scrub"], more, &[PLACE]].concat());
    command.env("AWS_ENDPOINT_URL", format!("http://{}", store.address)).env("AWS_REGION", "eu-central-1");
    command.envs(variables.iter().copied());
    command
}

fn stored(dir: &Path, images: usize) -> Store {
    Storage::filled(&dir.join("store/prod"), images);
    Store::of(&dir.join("store"))
}

#[test]
fn a_machine_of_amazon_is_asked_who_it_is() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = stored(dir.path(), 3);
    let machine = imds(3600, usize::MAX);
    store.takes("token-1", usize::MAX);
    let endpoint = format!("http://{}", machine.address);
    let output = scrub(&store, &[("AWS_METADATA_ENDPOINT", &endpoint)], &[]).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    // Once, however many ask.
    assert_eq!(machine.asked().len(), 3, "{:?}", machine.asked());
}

#[test]
fn containers_have_their_credentials_by_an_address() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = stored(dir.path(), 2);
    let agent = Keeper::new(|asked, _| match asked.header("authorization") {
        Some("pod-token") => (200, keys("of-pod", 3600)),
        _ => (401, String::new()),
    });
    store.takes("of-pod", usize::MAX);
    let token = dir.path().join("token");
    std::fs::write(&token, "pod-token").expect("written");
    let (token, address) = (token.display().to_string(), format!("http://{}/v1/credentials", agent.address));
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", address.as_str());
    let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.as_str());
    let output = scrub(&store, &[full, file], &[]).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    // What is refused says where it was asked for.
    std::fs::write(dir.path().join("token"), "another").expect("written");
    let output = scrub(&store, &[full, file], &[]).output().expect("runs");
    let (_, error) = told(&output);
    let why = format!("s3://images: no credentials are to be had: {} answers 401", agent.address);
    assert!(output.status.code() == Some(2) && error.contains(&why), "{error}");
    let output = scrub(&store, &[full], &[]).output().expect("runs");
    assert!(
        told(&output).1.contains("without AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        "{:?}",
        told(&output)
    );
    let absent = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/absent");
    let output = scrub(&store, &[full, absent], &[]).output().expect("runs");
    let (_, error) = told(&output);
    assert!(output.status.code() == Some(2) && error.contains("/absent"), "{error}");
    // Credentials go to no stranger without TLS.
    let strange = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/credentials");
    let output = scrub(&store, &[strange, file], &[]).output().expect("runs");
    let (_, error) = told(&output);
    assert!(output.status.code() == Some(2) && error.contains("192.0.2.1: plain HTTP is refused"), "{error}");
}

#[test]
fn a_web_identity_is_changed_for_a_session() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = stored(dir.path(), 2);
    let sts = Keeper::new(|asked, _| {
        let wanted = ["Action=AssumeRoleWithWebIdentity", "WebIdentityToken=of-eks", "RoleArn=arn%3Aaws"];
        match wanted.iter().all(|part| asked.line.contains(part)) {
            true => (
                200,
                format!(
                    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{KEY}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>of-sts</SessionToken><Expiration>{}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
                    after(3600)
                ),
            ),
            false => (
                400,
                "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>".to_owned(),
            ),
        }
    });
    store.takes("of-sts", usize::MAX);
    let token = dir.path().join("token");
    std::fs::write(&token, "of-eks").expect("written");
    let (token, address) = (token.display().to_string(), format!("http://{}", sts.address));
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/scrubber"),
        ("AWS_ENDPOINT_URL_STS", address.as_str()),
    ];
    let output = scrub(&store, &variables, &[]).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    std::fs::write(dir.path().join("token"), "too-old-a-token").expect("written");
    let output = scrub(&store, &variables, &[]).output().expect("runs");
    let (out, error) = told(&output);
    let why = format!(
        "s3://images: no credentials are to be had: {} answers 400 (ExpiredTokenException)",
        sts.address
    );
    assert!(output.status.code() == Some(2) && error.contains(&why), "{error}");
    assert!(!error.contains("too-old-a-token") && !out.contains("too-old-a-token"), "{error}");
}

#[test]
fn credentials_that_end_meanwhile_are_renewed() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = stored(dir.path(), 12);
    // They live for a second, and the store knows the newest alone; each blob takes a while.
    let machine = imds(1, usize::MAX);
    store.plant("GET", "/data", usize::MAX, Act::Slow(Duration::from_millis(150)));
    let endpoint = format!("http://{}", machine.address);
    let output =
        scrub(&store, &[("AWS_METADATA_ENDPOINT", &endpoint)], &["--jobs", "2"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let given = machine.asked().iter().filter(|asked| asked.line.contains("/scrubber ")).count();
    assert!(given > 2, "{given}");
}

#[test]
fn credentials_that_cannot_be_renewed_end_the_run_and_the_state_is_kept() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = stored(dir.path(), 30);
    let state = dir.path().join("state.db");
    let state = state.to_str().expect("UTF-8");
    store.plant("GET", "/data", usize::MAX, Act::Slow(Duration::from_millis(60)));
    let endpoint = format!("http://{}", imds_that_ends());
    let output = scrub(&store, &[("AWS_METADATA_ENDPOINT", &endpoint)], &["--jobs", "1", "--state", state])
        .output()
        .expect("runs");
    let (out, error) = told(&output);
    assert_eq!(output.status.code(), Some(2), "{out}{error}");
    assert!(
        error.contains("s3://images: no credentials are to be had: ") && error.contains("answers 404"),
        "{error}"
    );
    assert!(error.contains("--state goes on"), "{error}");
    // Nobody is asked for each of the blobs that are left.
    let first = data(&store);
    assert!(first > 3, "{first}");
    store.calm();
    let machine = imds(3600, usize::MAX);
    let endpoint = format!("http://{}", machine.address);
    let output =
        scrub(&store, &[("AWS_METADATA_ENDPOINT", &endpoint)], &["--state", state]).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let rest = data(&store);
    assert!(rest < 90 && first + rest >= 90 && first + rest <= 92, "{first} {rest}");
}

/// A metadata server that gives a few short sessions and then none; it goes on until the test ends.
fn imds_that_ends() -> String {
    let machine = imds(1, 12);
    let address = machine.address.clone();
    std::mem::forget(machine);
    address
}

/// Blobs that were asked for since the last time.
fn data(store: &Store) -> usize {
    store.seen().iter().filter(|one| one.what == "GET" && one.key.ends_with("/data")).count()
}

#[test]
fn a_session_that_ends_and_is_nobodys_to_renew_is_told() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = stored(dir.path(), 30);
    let state = dir.path().join("state.db");
    let state = state.to_str().expect("UTF-8");
    store.takes("of-a-login", 40);
    let variables =
        [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_SESSION_TOKEN", "of-a-login")];
    let output = scrub(&store, &variables, &["--state", state]).output().expect("runs");
    let (_, error) = told(&output);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("s3://images: the session token has expired or is none (ExpiredToken)"),
        "{error}"
    );
    assert!(!error.contains("of-a-login"), "{error}");
    let first = data(&store);
    assert!(first < 60, "{first}: nobody is asked for each of the blobs that are left");
    store.takes("of-a-login", usize::MAX);
    let output = scrub(&store, &variables, &["--state", state]).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    assert!(data(&store) < 90);
}

/// A bucket of Google's or Azure's that lets nobody in but with this token; it holds nothing.
fn guarded(token: &'static str) -> Keeper {
    Keeper::new(move |asked, _| {
        match asked.header("authorization") {
        Some(given) if given == format!("Bearer {token}") && asked.line.contains("comp=list") => (
            200,
            "<?xml version=\"1.0\"?><EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>".to_owned(),
        ),
        Some(given) if given.starts_with("Bearer ") && (given == format!("Bearer {token}") || token == "ANY") => {
            (200, "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_owned())
        }
        _ => (403, "<Error><Code>AccessDenied</Code></Error>".to_owned()),
    }
    })
}

/// What `check` says of a layout in a bucket, with these variables.
fn check(place: &str, variables: &[(&str, &str)]) -> String {
    let mut command = command(&["check", &format!("oci:{place}")]);
    let output = command.envs(variables.iter().copied()).output().expect("runs");
    assert_eq!(output.status.code(), Some(2), "{:?}", told(&output));
    told(&output).1
}

#[test]
fn google_says_who_asks() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let machine = Keeper::new(|asked, _| {
        let wanted = "/computeMetadata/v1/instance/service-accounts/default/token";
        match asked.line.contains(wanted) && asked.header("metadata-flavor") == Some("Google") {
            true => (
                200,
                "{\"access_token\":\"of-machine\",\"expires_in\":3599,\"token_type\":\"Bearer\"}".to_owned(),
            ),
            false => (404, String::new()),
        }
    });
    let store = guarded("of-machine");
    let base = format!("http://{}", store.address);
    let base = ("GOOGLE_BASE_URL", base.as_str());
    // They are let in, and nothing is there.
    let error = check("gs://images/none", &[base, ("GCE_METADATA_HOST", &machine.address)]);
    assert!(error.contains("gs://images/none: nothing is there"), "{error}");
    let error = check(
        "gs://images/none",
        &[base, ("GCE_METADATA_HOST", &store.address), ("GCE_METADATA_IP", &store.address)],
    );
    assert!(
        error.contains("gs://images: no credentials are to be had: ") && error.contains("answers 403"),
        "{error}"
    );

    // A service account signs for itself.
    let key = dir.path().join("key.pem");
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-out"])
        .arg(&key)
        .output()
        .expect("runs");
    assert!(made.status.success(), "{made:?}");
    let account = |text: serde_json::Value| {
        let file = dir.path().join("account.json");
        std::fs::write(&file, text.to_string()).expect("written");
        file.display().to_string()
    };
    let file = account(serde_json::json!({
        "type": "service_account", "private_key_id": "1", "client_email": "scrub@x.iam.gserviceaccount.com",
        "private_key": std::fs::read_to_string(&key).expect("there"),
    }));
    let store = guarded("ANY");
    let base = format!("http://{}", store.address);
    let base = ("GOOGLE_BASE_URL", base.as_str());
    let error = check("gs://images/none", &[base, ("GOOGLE_APPLICATION_CREDENTIALS", &file)]);
    assert!(error.contains("gs://images/none: nothing is there"), "{error}");
    let asked = store.asked();
    let token =
        asked[0].header("authorization").and_then(|text| text.strip_prefix("Bearer ")).expect("a token");
    assert_eq!(token.split('.').count(), 3, "a JWT");
    // What is no account that is known here.
    for wrong in [serde_json::json!({"type": "external_account", "audience": "x"}), serde_json::json!({})] {
        let file = account(wrong);
        let error = check("gs://images/none", &[base, ("GOOGLE_APPLICATION_CREDENTIALS", &file)]);
        assert!(
            error.contains("gs://images: ") && error.contains("GOOGLE_APPLICATION_CREDENTIALS"),
            "{error}"
        );
    }
}

#[test]
fn azure_says_who_asks() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = guarded("of-azure");
    let endpoint = format!("http://{}", store.address);
    let own = [("AZURE_STORAGE_ACCOUNT", "scrubs"), ("AZURE_STORAGE_ENDPOINT", endpoint.as_str())];
    let expires =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
    let token = format!(
        "{{\"access_token\":\"of-azure\",\"expires_on\":\"{expires}\",\"expires_in\":3600,\"token_type\":\"Bearer\"}}"
    );
    let answer = token.clone();
    let machine = Keeper::new(move |asked, _| {
        let is_one = asked.line.contains("resource=https%3A%2F%2Fstorage.azure.com");
        match is_one
            && asked.header("metadata") == Some("true")
            && asked.header("x-identity-header") != Some("wrong")
        {
            true => (200, answer.clone()),
            false => (400, String::new()),
        }
    });
    let at = format!("http://{}/metadata/identity/oauth2/token", machine.address);
    // A machine, and App Service.
    for (variables, message) in [
        (&[("AZURE_MSI_ENDPOINT", at.as_str())][..], "az://images/none: nothing is there"),
        (&[("IDENTITY_ENDPOINT", &at), ("IDENTITY_HEADER", "x")], "az://images/none: nothing is there"),
        (
            &[("IDENTITY_ENDPOINT", &at), ("IDENTITY_HEADER", "wrong")],
            "az://images: no credentials are to be had: ",
        ),
    ] {
        let error = check("az://images/none", &[&own[..], variables].concat());
        assert!(error.contains(message), "{variables:?}: {error}");
    }
    assert_eq!(machine.asked()[1].header("x-identity-header"), Some("x"));
    // A workload of Kubernetes.
    let file = dir.path().join("token");
    std::fs::write(&file, "of-kubernetes").expect("written");
    let file = file.display().to_string();
    let login = Keeper::new(move |asked, _| {
        let is_one = asked.line.starts_with("POST /tenant/oauth2/v2.0/token")
            && asked.body.contains("client_assertion=of-kubernetes");
        if is_one { (200, token.clone()) } else { (401, "{\"error\":\"invalid_client\"}".to_owned()) }
    });
    let host = format!("http://{}", login.address);
    let mut variables = own.to_vec();
    variables.extend([
        ("AZURE_FEDERATED_TOKEN_FILE", file.as_str()),
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_AUTHORITY_HOST", &host),
    ]);
    let error = check("az://images/none", &variables);
    assert!(error.contains("az://images/none: nothing is there"), "{error}");
    std::fs::write(&file, "too-old-a-token").expect("written");
    let error = check("az://images/none", &variables);
    let why = format!("az://images: no credentials are to be had: {} answers 401", login.address);
    assert!(error.contains(&why) && !error.contains("too-old-a-token"), "{error}");
}

//! A registry inside the test's own process: what the specification asks for, on threads of the standard library, with
//! every fault that a registry can have plantable one at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use data_encoding::BASE64;
use restow::digest::Digest;
use serde_json::Value;

use crate::listening::{Listening, Open};

/// How clients must show who they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Auth {
    #[default]
    None,
    /// `user:password`
    Basic(String),
    /// Tokens from `/token`, for `user:password` or (pull only) for anybody.
    Bearer { pair: String, anonymous: bool, expires_in: Option<u64> },
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Another answer.
    Status(u16, Vec<(&'static str, String)>, String),
    /// The connection ends before an answer.
    Hang,
    /// Nothing is ever answered.
    Silent,
    /// The body ends after so many bytes, its announced length unchanged.
    Cut(usize),
    /// The body comes without its length.
    Lengthless,
    /// One byte of the body is another.
    Flip,
    /// The body goes on for ever, without a length.
    Endless,
    /// The body is so many spaces.
    Large(usize),
    /// A byte a second.
    Drip,
    /// The announced length is this.
    Length(usize),
    /// A range is not known.
    WholeAnyway,
    /// Of a piece only so many bytes are taken, and that is said.
    Take(usize),
    /// Of a piece only so many bytes are taken, and the connection breaks.
    TakeAndHang(usize),
    /// Every token is void from now on.
    Void,
}

/// A fault that waits for its request.
#[derive(Debug, Clone)]
pub struct Plant {
    pub method: &'static str,
    /// Part of path and query.
    pub path: String,
    /// How many requests it befalls.
    pub times: usize,
    pub act: Act,
}

/// How the registry behaves.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    pub auth: Auth,
    pub referrers: bool,
    /// Blobs are elsewhere: the origin, without slash.
    pub store: Option<String>,
    /// `Location` is absolute.
    pub absolute: bool,
    pub page: Option<usize>,
    pub no_mount: bool,
    pub chunk_min: Option<usize>,
    /// `tags` is null where there are none, and HEAD has no length.
    pub sparse_answers: bool,
    /// Pieces and whole blobs above this are refused with 413.
    pub most: Option<usize>,
}

/// A request as it was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
}

#[derive(Default)]
pub struct State {
    pub blobs: HashMap<(String, String), Arc<Vec<u8>>>,
    pub manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    pub tags: BTreeMap<(String, String), String>,
    uploads: HashMap<String, Vec<u8>>,
    pub plants: Vec<Plant>,
    pub seen: Vec<Seen>,
    pub manner: Manner,
    tokens: Vec<String>,
    count: u64,
}

/// A repository, and a digest or tag in it.
pub type Of = (String, String);

/// The registry. Stops when it is dropped.
pub struct Server {
    pub address: String,
    listening: Listening,
    state: Arc<Mutex<State>>,
}

pub(super) struct Request {
    pub method: String,
    pub target: String,
    pub headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    pub(super) fn seen(&self) -> Seen {
        let header = |name: &str| self.headers.get(name).cloned();
        Seen {
            method: self.method.clone(),
            target: self.target.clone(),
            authorization: header("authorization"),
            range: header("range"),
        }
    }

    /// The bytes that follow.
    pub(super) fn length(&self) -> usize {
        self.headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

/// The fault that befalls a request.
pub(super) fn befalls(plants: &mut [Plant], request: &Request) -> Option<Act> {
    let fits = |plant: &&mut Plant| {
        plant.times > 0 && plant.method == request.method && request.target.contains(&plant.path)
    };
    plants.iter_mut().find(fits).map(|plant| {
        plant.times -= 1;
        plant.act.clone()
    })
}

pub(super) struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// No length is announced, as HEAD allows.
    pub mute: bool,
}

impl Response {
    pub(super) fn new(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Vec::new(), mute: false }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Response {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Response {
        self.body = body.into();
        self
    }

    pub(super) fn planted(status: u16, headers: Vec<(&'static str, String)>, body: String) -> Response {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Response { headers, ..Response::new(status).body(body) }
    }

    fn error(status: u16, code: &str) -> Response {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"as planted"}}]}}"#);
        Response::new(status).with("Content-Type", "application/json").body(body)
    }
}

impl Server {
    /// A registry with this manner.
    pub fn start(manner: Manner) -> Server {
        let state = Arc::new(Mutex::new(State { manner, ..State::default() }));
        let shared = Arc::clone(&state);
        let listening = Listening::start(move |stream, over| {
            let own = stream.local_addr().expect("an address").to_string();
            connection(stream, &shared, over, &own);
        });
        Server { address: listening.at.to_string(), listening, state }
    }

    /// The connections that it has.
    pub fn open(&self) -> &Open {
        &self.listening.open
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Tags, and the documents that they lead to: what tags name, what that names, and what is about any of it.
    pub fn tagged(&self) -> (BTreeSet<Of>, BTreeMap<Of, String>) {
        let state = self.state();
        let mut found: BTreeSet<(String, String)> =
            state.tags.iter().map(|((path, _), digest)| (path.clone(), digest.clone())).collect();
        loop {
            let before = found.len();
            for ((path, digest), (_, body)) in &state.manifests {
                let document: Value = serde_json::from_slice(body).unwrap_or_default();
                let subject = document["subject"]["digest"].as_str();
                let own = (path.clone(), digest.clone());
                if subject.is_some_and(|subject| found.contains(&(path.clone(), subject.to_owned()))) {
                    found.insert(own.clone());
                }
                if found.contains(&own) {
                    let children = document["manifests"].as_array().into_iter().flatten();
                    let children = children.filter_map(|child| child["digest"].as_str());
                    let here = children.map(|child| (path.clone(), child.to_owned()));
                    found.extend(here.filter(|child| state.manifests.contains_key(child)));
                }
            }
            if found.len() == before {
                return (found, state.tags.clone());
            }
        }
    }

    /// Plants a fault.
    pub fn plant(&self, method: &'static str, path: &str, times: usize, act: Act) {
        self.state().plants.push(Plant { method, path: path.to_owned(), times, act });
    }

    /// Puts a blob into a repository.
    pub fn blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        let key = (repository.to_owned(), digest.to_string());
        self.state().blobs.insert(key, Arc::new(bytes.to_vec()));
        digest
    }

    /// Puts a manifest into a repository.
    pub fn manifest(&self, repository: &str, tag: Option<&str>, media_type: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        let mut state = self.state();
        state
            .manifests
            .insert((repository.to_owned(), digest.to_string()), (media_type.to_owned(), bytes.to_vec()));
        if let Some(tag) = tag {
            state.tags.insert((repository.to_owned(), tag.to_owned()), digest.to_string());
        }
        digest
    }

    /// The requests of a method whose path holds a text.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.state().seen.iter().filter(|seen| seen.method == method && seen.target.contains(path)).count()
    }

    /// The faults that nothing met.
    pub fn left(&self) -> usize {
        self.state().plants.iter().filter(|plant| plant.times > 0 && plant.times < 1000).count()
    }
}

fn connection(stream: TcpStream, state: &Mutex<State>, stop: &AtomicBool, address: &str) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
    while !stop.load(Ordering::Relaxed) {
        let Some(mut request) = head(&mut reader) else { return };
        let lock = || state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let act = {
            let mut state = lock();
            state.seen.push(request.seen());
            befalls(&mut state.plants, &request)
        };
        match &act {
            Some(Act::Hang) => return,
            Some(Act::Silent) => {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return;
            }
            _ => {}
        }
        if !body(&mut reader, &mut request, act.as_ref()) {
            // What came of a piece before the connection broke is kept, as registries do.
            if let Some(id) = request.target.split("/uploads/").nth(1) {
                let id = id.split('?').next().unwrap_or_default().to_owned();
                if request.method == "PATCH" {
                    if let Some(upload) = lock().uploads.get_mut(&id) {
                        upload.extend_from_slice(&request.body);
                    }
                }
            }
            return;
        }
        let response = match act.clone() {
            Some(Act::Status(status, headers, body)) => Response::planted(status, headers, body),
            Some(Act::Void) => {
                lock().tokens.clear();
                answer(&mut lock(), &request, address, None)
            }
            act => answer(&mut lock(), &request, address, act.as_ref()),
        };
        if !send(&stream, &request, response, act.as_ref(), stop) {
            return;
        }
    }
}

pub(super) fn head(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut parts = line.split_ascii_whitespace();
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    parts.next().filter(|version| version.starts_with("HTTP/1."))?;
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { method, target, headers, body: Vec::new() })
}

/// Reads the body; false if the connection is to end here.
fn body(reader: &mut BufReader<TcpStream>, request: &mut Request, act: Option<&Act>) -> bool {
    let length = request.length();
    let taken = match act {
        Some(Act::TakeAndHang(taken)) => length.min(*taken),
        _ => length,
    };
    if request.headers.contains_key("transfer-encoding") {
        return false;
    }
    let read = reader.take(taken as u64).read_to_end(&mut request.body);
    read.is_ok_and(|read| read == length)
}

pub(super) fn send(
    mut stream: &TcpStream,
    request: &Request,
    mut response: Response,
    act: Option<&Act>,
    stop: &AtomicBool,
) -> bool {
    let mut text = format!("HTTP/1.1 {} X\r\n", response.status);
    let announced = response.headers.iter().any(|(name, _)| name == "Content-Length");
    for (name, value) in &response.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = match act {
        Some(Act::Length(length) | Act::Large(length)) => *length,
        _ => response.body.len(),
    };
    let lengthless = matches!(act, Some(Act::Lengthless | Act::Endless));
    if lengthless {
        text.push_str("Connection: close\r\n");
    } else if !announced && !response.mute && response.status != 204 {
        text.push_str(&format!("Content-Length: {length}\r\n"));
    }
    text.push_str("\r\n");
    if stream.write_all(text.as_bytes()).is_err() {
        return false;
    }
    if request.method == "HEAD" {
        return !lengthless;
    }
    match act {
        Some(Act::Flip) => {
            if let Some(last) = response.body.last_mut() {
                *last ^= 1;
            }
        }
        Some(Act::Cut(at)) => {
            let _ = stream.write_all(&response.body[..response.body.len().min(*at)]);
            return false;
        }
        Some(Act::Endless) => {
            while !stop.load(Ordering::Relaxed) && stream.write_all(&[b' '; 4096]).is_ok() {}
            return false;
        }
        Some(Act::Large(length)) => {
            return std::io::copy(&mut std::io::repeat(b' ').take(*length as u64), &mut stream).is_ok();
        }
        Some(Act::Drip) => {
            for byte in &response.body {
                if stop.load(Ordering::Relaxed) || stream.write_all(&[*byte]).is_err() {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(300));
            }
        }
        _ => {}
    }
    stream.write_all(&response.body).is_ok() && !lengthless && !matches!(act, Some(Act::Length(_)))
}

fn answer(state: &mut State, request: &Request, address: &str, act: Option<&Act>) -> Response {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let query = parameters(query);
    if path == "/token" {
        return token(state, request, &query);
    }
    if let Some(key) = path.strip_prefix("/store/") {
        let (repository, digest) = key.rsplit_once('/').unwrap_or_default();
        return match state.blobs.get(&(repository.to_owned(), digest.to_owned())) {
            Some(bytes) => ranged(request, bytes, act),
            None => Response::new(404),
        };
    }
    if let Some(refusal) = refusal(state, request, address, path, &query) {
        return refusal;
    }
    let Some(path) = path.strip_prefix("/v2/") else { return Response::new(404) };
    if path.is_empty() {
        return Response::new(200).body("{}");
    }
    if path == "_catalog" {
        let mut names: Vec<String> =
            state.manifests.keys().map(|(repository, _)| repository.clone()).collect();
        names.dedup();
        return list(state, "_catalog", "repositories", names, &query, address);
    }
    for (word, handle) in WORDS {
        if let Some((repository, rest)) = path.rsplit_once(word) {
            let call = Call { state, request, repository, rest, query: &query, address, act };
            return handle(call);
        }
    }
    Response::error(404, "NAME_UNKNOWN")
}

struct Call<'a> {
    state: &'a mut State,
    request: &'a Request,
    repository: &'a str,
    rest: &'a str,
    query: &'a HashMap<String, String>,
    address: &'a str,
    act: Option<&'a Act>,
}

type Handle = fn(Call<'_>) -> Response;

const WORDS: &[(&str, Handle)] = &[
    ("/blobs/uploads/", upload),
    ("/blobs/", blob),
    ("/manifests/", manifest),
    ("/tags/list", tags),
    ("/referrers/", referrers),
];

fn parameters(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.replace("%20", " "))).collect()
}

fn token(state: &mut State, request: &Request, query: &HashMap<String, String>) -> Response {
    let Auth::Bearer { pair, anonymous, expires_in } = state.manner.auth.clone() else {
        return Response::new(404);
    };
    let wanted = format!("Basic {}", BASE64.encode(pair.as_bytes()));
    let shown = request.headers.get("authorization");
    let scopes: Vec<String> = request
        .target
        .split('&')
        .flat_map(|part| part.split('?'))
        .filter_map(|part| part.strip_prefix("scope="))
        .map(|scope| scope.replace("%2A", "*"))
        .collect();
    let reading = scopes.iter().all(|scope| !scope.contains("push") && !scope.contains("catalog"));
    match shown {
        Some(shown) if *shown == wanted => {}
        None if anonymous && reading => {}
        _ => return Response::error(401, "UNAUTHORIZED"),
    }
    state.count += 1;
    let token = format!("opaque-{}~{}", state.count, scopes.join("+"));
    state.tokens.push(token.clone());
    let name = if query.contains_key("service") { "token" } else { "access_token" };
    let expires = expires_in.map(|seconds| format!(r#","expires_in":{seconds}"#)).unwrap_or_default();
    Response::new(200)
        .with("Content-Type", "application/json")
        .body(format!(r#"{{"{name}":"{token}"{expires}}}"#))
}

/// What is answered to who may not.
fn refusal(
    state: &State,
    request: &Request,
    address: &str,
    path: &str,
    query: &HashMap<String, String>,
) -> Option<Response> {
    let shown = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
    let (granted, header) = match &state.manner.auth {
        Auth::None => return None,
        Auth::Basic(pair) => {
            (shown == format!("Basic {}", BASE64.encode(pair.as_bytes())), r#"Basic realm="test""#.to_owned())
        }
        Auth::Bearer { .. } => {
            let repository = ["/blobs/", "/manifests/", "/tags/", "/referrers/"]
                .iter()
                .find_map(|word| Some(path.strip_prefix("/v2/")?.split_once(word)?.0))
                .unwrap_or_default();
            let actions = if matches!(request.method.as_str(), "GET" | "HEAD") && !path.contains("/uploads/")
            {
                "pull"
            } else {
                "pull,push"
            };
            let scope = if path == "/v2/_catalog" {
                "registry:catalog:*".to_owned()
            } else {
                format!("repository:{repository}:{actions}")
            };
            let from = query.get("from").map(|from| format!("repository:{from}:pull"));
            let token = shown.strip_prefix("Bearer ").filter(|token| state.tokens.iter().any(|t| t == token));
            let pushes =
                token.is_some_and(|token| token.contains(&format!("repository:{repository}:pull,push")));
            let granted = token.is_some_and(|token| {
                (token.contains(&scope) || pushes) && from.is_none_or(|from| token.contains(&from))
            });
            let granted = granted || (path == "/v2/" && token.is_some());
            let header = format!(r#"Bearer realm="http://{address}/token",service="test",scope="{scope}""#);
            (granted, header)
        }
    };
    (!granted).then(|| Response::error(401, "UNAUTHORIZED").with("WWW-Authenticate", header))
}

fn blob(call: Call<'_>) -> Response {
    let key = (call.repository.to_owned(), call.rest.to_owned());
    let Some(bytes) = call.state.blobs.get(&key) else { return Response::error(404, "BLOB_UNKNOWN") };
    if call.request.method == "HEAD" {
        let response = Response::new(200).with("Docker-Content-Digest", call.rest);
        return match call.state.manner.sparse_answers {
            true => Response { mute: true, ..response },
            false => response.with("Content-Length", bytes.len().to_string()),
        };
    }
    if let Some(store) = &call.state.manner.store {
        let location = format!("{store}/store/{}/{}?Signature=signed", call.repository, call.rest);
        return Response::new(307).with("Location", location);
    }
    ranged(call.request, bytes, call.act)
}

fn ranged(request: &Request, bytes: &[u8], act: Option<&Act>) -> Response {
    let range = request
        .headers
        .get("range")
        .and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
    match range {
        Some(from) if !matches!(act, Some(Act::WholeAnyway)) => {
            let rest = bytes.get(from..).filter(|rest| !rest.is_empty());
            let Some(rest) = rest else { return Response::new(416) };
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            Response::new(206).with("Content-Range", range).body(rest)
        }
        _ => Response::new(200).body(bytes),
    }
}

fn manifest(call: Call<'_>) -> Response {
    let Call { state, request, repository, rest, .. } = call;
    if request.method == "PUT" {
        let kind = request.headers.get("content-type").cloned().unwrap_or_default();
        let digest = match Digest::parse(rest) {
            // Of schema 1 the digest is that of what is signed.
            Ok(digest) if kind.contains("prettyjws") => Some(digest),
            Ok(digest) => digest.of_same_kind(&request.body).filter(|own| *own == digest),
            Err(_) => Some(Digest::sha256(&request.body)),
        };
        let Some(digest) = digest else { return Response::error(400, "DIGEST_INVALID") };
        let value: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        for part in value["layers"].as_array().into_iter().flatten().chain([&value["config"]]) {
            let Some(part_digest) = part["digest"].as_str() else { continue };
            let foreign = part["mediaType"]
                .as_str()
                .is_some_and(|kind| kind.contains("nondist") || kind.contains("foreign"));
            if !foreign && !state.blobs.contains_key(&(repository.to_owned(), part_digest.to_owned())) {
                return Response::error(400, "MANIFEST_BLOB_UNKNOWN");
            }
        }
        for child in value["manifests"].as_array().into_iter().flatten() {
            let Some(child) = child["digest"].as_str() else { continue };
            if !state.manifests.contains_key(&(repository.to_owned(), child.to_owned())) {
                return Response::error(400, "MANIFEST_BLOB_UNKNOWN");
            }
        }
        state.manifests.insert((repository.to_owned(), digest.to_string()), (kind, request.body.clone()));
        if Digest::parse(rest).is_err() {
            state.tags.insert((repository.to_owned(), rest.to_owned()), digest.to_string());
        }
        let response = Response::new(201)
            .with("Docker-Content-Digest", digest.to_string())
            .with("Location", format!("/v2/{repository}/manifests/{digest}"));
        let subject = value["subject"]["digest"].as_str().filter(|_| state.manner.referrers);
        return match subject {
            Some(subject) => response.with("OCI-Subject", subject),
            None => response,
        };
    }
    let digest = match Digest::parse(rest) {
        Ok(digest) => Some(digest.to_string()),
        Err(_) => state.tags.get(&(repository.to_owned(), rest.to_owned())).cloned(),
    };
    let found = digest.and_then(|digest| {
        let found = state.manifests.get(&(repository.to_owned(), digest.clone()))?;
        Some((digest, found.clone()))
    });
    let Some((digest, (kind, bytes))) = found else { return Response::error(404, "MANIFEST_UNKNOWN") };
    let accepted = request
        .headers
        .get("accept")
        .is_some_and(|accept| accept.contains(kind.split(';').next().unwrap_or_default()));
    if !accepted {
        return Response::error(404, "MANIFEST_UNKNOWN");
    }
    let response = Response::new(200).with("Content-Type", kind);
    if state.manner.sparse_answers {
        return response.body(bytes);
    }
    response.with("Docker-Content-Digest", digest).body(bytes)
}

fn tags(call: Call<'_>) -> Response {
    let state = call.state;
    let known = state.manifests.keys().any(|(repository, _)| repository == call.repository);
    if !known {
        return Response::error(404, "NAME_UNKNOWN");
    }
    let names: Vec<String> = state
        .tags
        .keys()
        .filter(|(repository, _)| repository == call.repository)
        .map(|(_, tag)| tag.clone())
        .collect();
    if names.is_empty() && state.manner.sparse_answers {
        return Response::new(200).body(r#"{"name":"x","tags":null}"#);
    }
    list(state, &format!("{}/tags/list", call.repository), "tags", names, call.query, call.address)
}

fn list(
    state: &State,
    path: &str,
    member: &str,
    names: Vec<String>,
    query: &HashMap<String, String>,
    address: &str,
) -> Response {
    let from = query.get("last").map_or(0, |last| names.partition_point(|name| name <= last));
    let page = state.manner.page.unwrap_or(usize::MAX);
    let shown: Vec<String> = names[from..].iter().take(page).cloned().collect();
    let response = Response::new(200)
        .with("Content-Type", "application/json")
        .body(serde_json::json!({ "name": "x", member: shown }).to_string());
    match shown.last().filter(|_| from + shown.len() < names.len()) {
        // Some name a host that nobody outside knows.
        Some(last) if state.manner.absolute => response
            .with("Link", format!("<http://inside.{address}/v2/{path}?last={last}&n={page}>; rel=\"next\"")),
        Some(last) => response.with("Link", format!("</v2/{path}?last={last}&n={page}>; rel=\"next\"")),
        None => response,
    }
}

fn referrers(call: Call<'_>) -> Response {
    if !call.state.manner.referrers {
        return Response::new(404).body("404 page not found\n");
    }
    let mut found = Vec::new();
    for ((repository, digest), (kind, bytes)) in &call.state.manifests {
        let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        if repository == call.repository && value["subject"]["digest"].as_str() == Some(call.rest) {
            found.push(serde_json::json!({ "mediaType": kind, "digest": digest, "size": bytes.len() }));
        }
    }
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": found,
    });
    Response::new(200).with("Content-Type", "application/vnd.oci.image.index.v1+json").body(index.to_string())
}

fn upload(call: Call<'_>) -> Response {
    let Call { state, request, repository, rest, query, address, act } = call;
    let location = |state: &State, id: &str| {
        let relative = format!("/v2/{repository}/blobs/uploads/{id}?_state=a");
        if state.manner.absolute { format!("http://{address}{relative}") } else { relative }
    };
    let range = |bytes: usize| format!("0-{}", bytes.saturating_sub(1));
    match request.method.as_str() {
        "POST" => {
            if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from")) {
                let there = state.blobs.get(&(from.clone(), digest.clone())).cloned();
                if let Some(bytes) = there.filter(|_| !state.manner.no_mount) {
                    state.blobs.insert((repository.to_owned(), digest.clone()), bytes);
                    return Response::new(201).with("Docker-Content-Digest", digest.clone());
                }
            }
            state.count += 1;
            let id = format!("upload-{}", state.count);
            state.uploads.insert(id.clone(), Vec::new());
            let response = Response::new(202).with("Location", location(state, &id)).with("Range", "0-0");
            match state.manner.chunk_min {
                Some(least) => response.with("OCI-Chunk-Min-Length", least.to_string()),
                None => response,
            }
        }
        "PATCH" => {
            let most = state.manner.most.unwrap_or(usize::MAX);
            let Some(upload) = state.uploads.get_mut(rest) else {
                return Response::error(404, "BLOB_UPLOAD_UNKNOWN");
            };
            let start =
                request.headers.get("content-range").and_then(|range| range.split('-').next()?.parse().ok());
            if start.is_some_and(|start: usize| start != upload.len()) {
                let range = range(upload.len());
                return Response::error(416, "RANGE_INVALID").with("Range", range);
            }
            if request.body.len() > most {
                return Response::new(413);
            }
            let taken = if let Some(Act::Take(taken)) = act { *taken } else { request.body.len() };
            upload.extend_from_slice(&request.body[..taken]);
            let range = range(upload.len());
            Response::new(202).with("Location", location(state, rest)).with("Range", range)
        }
        "GET" => match state.uploads.get(rest) {
            Some(upload) => {
                let range = range(upload.len());
                Response::new(204).with("Location", location(state, rest)).with("Range", range)
            }
            None => Response::error(404, "BLOB_UPLOAD_UNKNOWN"),
        },
        "PUT" => {
            if request.body.len() > state.manner.most.unwrap_or(usize::MAX) {
                return Response::new(413);
            }
            let Some(mut upload) = state.uploads.remove(rest) else {
                return Response::error(404, "BLOB_UPLOAD_UNKNOWN");
            };
            upload.extend_from_slice(&request.body);
            let wanted = query.get("digest").cloned().unwrap_or_default();
            let found = Digest::parse(&wanted).ok().and_then(|digest| digest.of_same_kind(&upload));
            if found.is_none_or(|found| found.as_str() != wanted) {
                return Response::error(400, "DIGEST_INVALID");
            }
            state.blobs.insert((repository.to_owned(), wanted.clone()), Arc::new(upload));
            Response::new(201).with("Docker-Content-Digest", wanted)
        }
        "DELETE" => {
            state.uploads.remove(rest);
            Response::new(204)
        }
        _ => Response::new(405),
    }
}

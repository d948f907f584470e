//! A store inside the test's own process, which speaks as S3 does over the files of a folder, counts what it is asked, and
//! fails as it is told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::listening::Listening;

pub const BUCKET: &str = "images";
pub const KEY: &str = "AKIDEXAMPLE";
/// Bytes above which an object counts as put in parts.
const LARGE: u64 = 32 << 20;
pub const SECRET: &str = "not+to/be/shown";

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// A status with the code of S3.
    Answer(u16, &'static str),
    /// The body ends after half of it.
    Cut,
    /// It takes so long.
    Slow(Duration),
    /// Before it is answered the object is written anew, with these bytes.
    Changed(Vec<u8>),
    /// A listing lacks the names that hold this.
    Lags(String),
    /// A listing names a page that was there before as the next one.
    Again,
    /// A listing holds nothing, and names another page that does not either.
    Nothing,
    /// A page of a listing is so large.
    Bloated(usize),
    /// Who asks is killed, and not answered: before what was asked for is done, or after it.
    Kills { after: bool },
}

/// A fault that waits for its request.
#[derive(Debug, Clone)]
pub struct Plant {
    /// `GET`, `HEAD`, `PUT`, `POST`, `DELETE` or `LIST`; `JOIN` is the `POST` that joins parts; of any, nothing.
    pub what: &'static str,
    /// Part of the key or prefix.
    pub part: String,
    /// How many requests it befalls.
    pub times: usize,
    pub act: Act,
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Seen {
    pub what: String,
    /// The key, or the prefix.
    pub key: String,
    /// Bytes of the body of the answer.
    pub bytes: u64,
}

#[derive(Default)]
struct State {
    plants: Vec<Plant>,
    seen: Vec<Seen>,
    page: usize,
    /// Whether it takes no notice of conditions, as older stores do.
    unconditional: bool,
    /// Requests that are let through before plants take effect.
    before: usize,
    /// Who asks.
    pid: Option<u32>,
    /// The credentials that are taken, and how many times more; any of [`KEY`] if there are none.
    token: Option<(String, usize)>,
    /// Parts of what is not whole yet, by their numbers.
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
}

/// The store. Stops when it is dropped.
pub struct Store {
    pub address: String,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    _listening: Listening,
}

impl State {
    /// Whether a session token is one that is still taken.
    fn is_taken(&mut self, given: Option<&String>) -> bool {
        let Some((token, times)) = &mut self.token else { return true };
        let taken = given == Some(token) && *times > 0;
        *times = times.saturating_sub(usize::from(taken));
        taken
    }
}

struct Asked {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Store {
    /// Serves the files of a folder as the objects of [`BUCKET`].
    pub fn of(folder: &Path) -> Store {
        let state = Arc::new(Mutex::new(State { page: 1000, ..State::default() }));
        let (shared, folder) = (Arc::clone(&state), folder.to_owned());
        let listening = Listening::start(move |stream, _| serve(stream, &folder, &shared));
        Store { address: listening.at.to_string(), scheme: "http", state, _listening: listening }
    }

    /// The same with TLS, showing this certificate.
    pub fn with_tls(folder: &Path, cert: &Path, key: &Path) -> Store {
        use rustls::pki_types::pem::PemObject as _;
        let chain = rustls::pki_types::CertificateDer::from_pem_file(cert).expect("a certificate");
        let key = rustls::pki_types::PrivateKeyDer::from_pem_file(key).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .expect("they fit");
        let (config, state) =
            (Arc::new(config), Arc::new(Mutex::new(State { page: 1000, ..State::default() })));
        let (shared, folder) = (Arc::clone(&state), folder.to_owned());
        let listening = Listening::start(move |stream, _| {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
            serve(rustls::StreamOwned::new(connection, stream), &folder, &shared);
        });
        Store { address: listening.at.to_string(), scheme: "https", state, _listening: listening }
    }

    /// Takes only requests with this session token from now on, and so many of them.
    pub fn takes(&self, token: &str, times: usize) {
        self.state().token = Some((token.to_owned(), times));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    /// Lists so many names at once.
    pub fn page(&self, names: usize) {
        self.state().page = names;
    }

    pub fn plant(&self, what: &'static str, part: &str, times: usize, act: Act) {
        self.state().plants.push(Plant { what, part: part.to_owned(), times, act });
    }

    /// Nothing goes wrong any more.
    pub fn calm(&self) {
        self.state().plants.clear();
    }

    /// Kills the process that asks at a request, counted from now on; [`asker`](Store::asker) says which it is.
    pub fn kill_at(&self, request: usize, after: bool) {
        let mut state = self.state();
        state.plants = vec![Plant { what: "", part: String::new(), times: 1, act: Act::Kills { after } }];
        (state.before, state.pid) = (request, None);
    }

    /// Who asks.
    pub fn asker(&self, pid: u32) {
        self.state().pid = Some(pid);
    }

    /// Takes no notice of conditions from now on.
    pub fn ignores_conditions(&self) {
        self.state().unconditional = true;
    }

    /// Uploads of parts that nobody has ended.
    pub fn unended(&self) -> usize {
        self.state().uploads.len()
    }

    /// What was asked since the last time.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    /// Variables by which a command finds the store.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("{}://{}", self.scheme, self.address)),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
        ]
    }
}

fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let hex = [bytes.next().unwrap_or_default(), bytes.next().unwrap_or_default()];
                out.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(&hex).expect("an escape"));
            }
            b'+' => out.push(b' '),
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).expect("UTF-8")
}

fn asked(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut parts = line.split_whitespace();
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = query.map(|(name, value)| (unescape(name), unescape(value))).collect();
    Some(Asked { method, path: unescape(path), query, headers, body })
}

fn serve(stream: impl Read + Write, folder: &Path, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = asked(&mut stream) {
        if !answer(stream.get_mut(), &asked, folder, state) {
            return;
        }
    }
}

/// The files of a folder by their keys.
pub fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(path) = pending.pop() {
        for entry in std::fs::read_dir(path).expect("a folder").flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => pending.push(path),
                false => {
                    let key = path.strip_prefix(folder).expect("below").to_str().expect("UTF-8").to_owned();
                    found.insert(key, path);
                }
            }
        }
    }
    found
}

fn error(status: u16, code: &str) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>"
    );
    (status, Vec::new(), body.into_bytes())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Answers one request; whether the connection goes on.
fn answer(out: &mut impl Write, asked: &Asked, folder: &Path, state: &Mutex<State>) -> bool {
    let rest = asked.path.trim_start_matches('/');
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let is_list = asked.method == "GET" && asked.query.contains_key("list-type");
    let what = if is_list { "LIST" } else { &asked.method };
    let name = if is_list { asked.query.get("prefix").cloned().unwrap_or_default() } else { key.to_owned() };
    let (act, page) = {
        let mut state = state.lock().expect("not poisoned");
        let waits = state.before > 0;
        state.before = state.before.saturating_sub(1);
        let joins = asked.method == "POST" && asked.query.contains_key("uploadId");
        let is_of =
            |plant: &Plant| plant.what == what || plant.what.is_empty() || plant.what == "JOIN" && joins;
        let fits = |plant: &Plant| !waits && plant.times > 0 && is_of(plant) && name.contains(&plant.part);
        let at = state.plants.iter().position(fits);
        let act = at.map(|at| {
            state.plants[at].times -= 1;
            state.plants[at].act.clone()
        });
        (act, state.page)
    };
    let signed = asked.headers.get("authorization").is_some_and(|text| text.contains(KEY));
    let expired = !state.lock().expect("not poisoned").is_taken(asked.headers.get("x-amz-security-token"));
    let path = folder.join(key);
    match &act {
        Some(Act::Slow(time)) => std::thread::sleep(*time),
        Some(Act::Changed(bytes)) => put(&path, bytes),
        Some(Act::Kills { after: false }) => return kill(state),
        _ => {}
    }
    let (status, headers, body) = match &act {
        Some(Act::Answer(status, code)) => error(*status, code),
        _ if bucket != BUCKET => error(404, "NoSuchBucket"),
        _ if !signed => error(403, "AccessDenied"),
        _ if expired => error(400, "ExpiredToken"),
        _ if is_list => (200, Vec::new(), list(asked, folder, page, act.as_ref())),
        _ if asked.query.contains_key("uploads") || asked.query.contains_key("uploadId") => {
            parts(asked, &path, &mut state.lock().expect("not poisoned"))
        }
        _ => {
            let unconditional = state.lock().expect("not poisoned").unconditional;
            object(asked, &path, unconditional)
        }
    };
    if let Some(Act::Kills { after: true }) = act {
        return kill(state);
    }
    let half = matches!(act, Some(Act::Cut)).then_some(body.len() / 2);
    let is_head = asked.method == "HEAD";
    let mut head = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n",
        if is_head && status == 200 {
            std::fs::metadata(&path).map_or(0, |meta| meta.len())
        } else {
            body.len() as u64
        }
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let sent = if is_head { &[][..] } else { &body[..half.unwrap_or(body.len())] };
    state.lock().expect("not poisoned").seen.push(Seen {
        what: what.to_owned(),
        key: name,
        bytes: sent.len() as u64,
    });
    let whole = out.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| out.write_all(sent)).is_ok();
    whole && half.is_none()
}

fn list(asked: &Asked, folder: &Path, page: usize, act: Option<&Act>) -> Vec<u8> {
    let hidden = match act {
        Some(Act::Lags(part)) => Some(part.as_str()),
        Some(Act::Nothing) => Some(""),
        _ => None,
    };
    let get = |name: &str| asked.query.get(name).cloned().unwrap_or_default();
    let (prefix, delimiter) = (get("prefix"), get("delimiter"));
    let after = get("continuation-token").max(get("start-after"));
    let mut contents = String::new();
    let mut common = std::collections::BTreeSet::new();
    let (mut last, mut count, mut more) = (String::new(), 0, false);
    for (key, path) in files(folder) {
        let Some(rest) = key.strip_prefix(&prefix).filter(|_| key > after) else { continue };
        if hidden.is_some_and(|part| key.contains(part)) {
            continue;
        }
        if count == page {
            more = true;
            break;
        }
        if let Some(at) = rest.find('/').filter(|_| !delimiter.is_empty()) {
            let found = format!("{prefix}{}", &rest[..=at]);
            // What is below it comes with it.
            last = format!("{found}\u{7f}");
            if common.insert(found) {
                count += 1;
            }
            continue;
        }
        count += 1;
        let (size, time, etag) = facts(&path);
        contents.push_str(&format!(
            "<Contents><Key>{}</Key><LastModified>{time}</LastModified><ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Contents>",
            escaped(&key)
        ));
        last = key;
    }
    let common: String = common
        .iter()
        .map(|name| format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escaped(name)))
        .collect();
    let next = match act {
        Some(Act::Again) => Some("again".to_owned()),
        Some(Act::Nothing) => Some(format!("{after}x")),
        _ => more.then_some(last),
    };
    if let Some(Act::Bloated(bytes)) = act {
        contents.push_str(&" ".repeat(*bytes));
    }
    let more = next.is_some();
    let token = next.map_or_else(String::new, |next| {
        format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(&next))
    });
    format!("<?xml version=\"1.0\"?><ListBucketResult><Name>{BUCKET}</Name><KeyCount>{count}</KeyCount><IsTruncated>{more}</IsTruncated>{token}{contents}{common}</ListBucketResult>").into_bytes()
}

/// Size, time and ETag of a file.
fn facts(path: &Path) -> (u64, String, String) {
    let meta = std::fs::metadata(path).expect("read");
    let modified = meta.modified().expect("a time");
    // Of what was put in parts it is not the MD5 of the bytes, and saves reading them.
    let etag = match meta.len() > LARGE {
        true => format!("{}-5", restow::store::md5(format!("{modified:?} {}", meta.len()).as_bytes())),
        false => restow::store::md5(&std::fs::read(path).expect("read")),
    };
    (meta.len(), restow::time::rfc3339(modified), etag)
}

/// Ends who asks; the connection does not go on.
fn kill(state: &Mutex<State>) -> bool {
    let pid = loop {
        match state.lock().expect("not poisoned").pid {
            Some(pid) => break pid,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let killed =
        std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill runs");
    assert!(killed.success(), "{pid}");
    false
}

/// Writes an object, all of it or nothing.
fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("written");
}

/// Whether an object is what a request wants it to be.
fn is_met(asked: &Asked, path: &Path) -> bool {
    let given = |name: &str| asked.headers.get(name).map(|text| text.trim_matches('"').to_owned());
    let is_there = path.is_file();
    let same = |etag: String| is_there && facts(path).2 == etag;
    !(given("if-none-match").is_some() && is_there || given("if-match").is_some_and(|etag| !same(etag)))
}

/// What is sent in parts, and joined under the condition that is a single request's, too.
fn parts(asked: &Asked, path: &Path, state: &mut State) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let id = asked.query.get("uploadId").cloned().unwrap_or_default();
    match asked.method.as_str() {
        "POST" if id.is_empty() => {
            let id = format!("upload-{}", state.uploads.len());
            let body = format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            );
            state.uploads.insert(id, BTreeMap::new());
            (200, Vec::new(), body.into_bytes())
        }
        "PUT" => {
            let number = asked.query["partNumber"].parse().expect("a number");
            let Some(upload) = state.uploads.get_mut(&id) else { return error(404, "NoSuchUpload") };
            upload.insert(number, asked.body.clone());
            (200, vec![("etag".to_owned(), format!("\"{}\"", restow::store::md5(&asked.body)))], Vec::new())
        }
        "POST" if !state.unconditional && !is_met(asked, path) => error(412, "PreconditionFailed"),
        "POST" => {
            let Some(upload) = state.uploads.remove(&id) else { return error(404, "NoSuchUpload") };
            put(path, &upload.into_values().flatten().collect::<Vec<u8>>());
            let etag = facts(path).2;
            let body = format!(
                "<CompleteMultipartUploadResult><ETag>&quot;{etag}&quot;</ETag></CompleteMultipartUploadResult>"
            );
            (200, Vec::new(), body.into_bytes())
        }
        _ => {
            state.uploads.remove(&id);
            (204, Vec::new(), Vec::new())
        }
    }
}

fn object(asked: &Asked, path: &Path, unconditional: bool) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let is_there = path.is_file();
    if asked.method == "PUT" {
        if !unconditional && !is_met(asked, path) {
            return error(412, "PreconditionFailed");
        }
        put(path, &asked.body);
        return (200, vec![("etag".to_owned(), format!("\"{}\"", facts(path).2))], Vec::new());
    }
    if !is_there {
        return error(404, "NoSuchKey");
    }
    let bytes = std::fs::read(path).expect("read");
    let mut headers = vec![
        ("etag".to_owned(), format!("\"{}\"", facts(path).2)),
        ("last-modified".to_owned(), "Sun, 29 Nov 2026 10:00:00 GMT".to_owned()),
    ];
    let range = asked.headers.get("range").and_then(|text| text.strip_prefix("bytes="));
    let Some((from, until)) = range.and_then(|range| range.split_once('-')) else {
        return (200, headers, bytes);
    };
    let from: usize = from.parse().expect("a range");
    let until = until.parse::<usize>().map_or(bytes.len(), |last| (last + 1).min(bytes.len()));
    if from >= bytes.len() {
        return error(416, "InvalidRange");
    }
    headers.push(("content-range".to_owned(), format!("bytes {from}-{}/{}", until - 1, bytes.len())));
    (206, headers, bytes[from..until].to_vec())
}

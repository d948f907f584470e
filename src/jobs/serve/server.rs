//! Connections: each on a thread of its own, as many at once as the limit `clients` allows, each wait with an end.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;

use super::access::{Line, Log};
use super::answer::{Answer, answer};
use super::counts::Counts;
use super::htpasswd::Users;
use super::shelf::Shelf;
use super::tls::{self, Stream};
use super::wire::{self, Came, Head};
use crate::error::{Context, Error, Result};
use crate::limits::Limits;
use crate::time;

/// How it is served.
#[derive(Default)]
pub struct Settings {
    /// The address and port to listen on; port 0 is any that is free.
    pub listen: Vec<SocketAddr>,
    /// Certificate chain and key, in PEM: then TLS alone is spoken.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Users with their passwords by bcrypt: then nobody else is answered.
    pub htpasswd: Option<PathBuf>,
    /// Where a line in JSON goes for each request.
    pub log: Option<Box<dyn Write + Send>>,
    /// What clients may cost.
    pub limits: Limits,
}

/// A server that listens. Dropped, it stops.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// Stops a server from elsewhere.
#[derive(Clone)]
pub struct Stop {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    shelf: Shelf,
    tls: Option<Arc<ServerConfig>>,
    users: Option<Users>,
    log: Log,
    limits: Limits,
    counts: Counts,
    stopping: AtomicBool,
    open: Mutex<Open>,
    fewer: Condvar,
}

/// Connections that are open, and whether each is answering.
#[derive(Default)]
struct Open {
    next: u64,
    sockets: HashMap<u64, (TcpStream, bool)>,
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

impl Server {
    /// Listens; nobody is answered before [`Server::run`].
    ///
    /// # Errors
    /// The address cannot be listened on; a file of the settings cannot be used.
    pub fn bind(shelf: Shelf, settings: Settings) -> Result<Server> {
        let tls =
            settings.tls.as_ref().map(|(certificate, key)| tls::config(certificate, key)).transpose()?;
        let users = settings.htpasswd.as_deref().map(Users::read).transpose()?;
        let wanted: Vec<String> = settings.listen.iter().map(ToString::to_string).collect();
        let listener = TcpListener::bind(&settings.listen[..]).map_err(|error| {
            let message = format!("cannot listen on {}: {error}", wanted.join(", "));
            Error::refused_help(message, "--listen 127.0.0.1:0 takes any port that is free")
        })?;
        let address = listener.local_addr().at("cannot listen on", wanted.join(", "))?;
        let shared = Shared {
            shelf,
            tls,
            users,
            log: Log::to(settings.log),
            limits: settings.limits,
            counts: Counts::default(),
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
            fewer: Condvar::new(),
        };
        Ok(Server { listener, address, shared: Arc::new(shared) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stops it.
    pub fn stop(&self) -> Stop {
        Stop { address: self.address, shared: Arc::clone(&self.shared) }
    }

    /// Answers until it is stopped, and then until what is under way is answered; how many requests that were.
    pub fn run(self) -> u64 {
        while !self.shared.stopping() {
            let most = usize::try_from(self.shared.limits.clients).unwrap_or(usize::MAX);
            let open = self.shared.open();
            // Others wait in the queue of the system.
            let full = |open: &mut Open| open.sockets.len() >= most && !self.shared.stopping();
            drop(self.shared.fewer.wait_while(open, full).unwrap_or_else(PoisonError::into_inner));
            if self.shared.stopping() {
                break;
            }
            match self.listener.accept() {
                Ok((socket, client)) => self.take(socket, client),
                // Of one connection, or of the process's descriptors: the next may do.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        let open = self.shared.open();
        let patience = Duration::from_secs(self.shared.limits.wait_seconds);
        let any = |open: &mut Open| !open.sockets.is_empty();
        drop(self.shared.fewer.wait_timeout_while(open, patience, any));
        self.shared.counts.requests()
    }

    fn take(&self, socket: TcpStream, client: SocketAddr) {
        let Ok(copy) = socket.try_clone() else { return };
        let mut open = self.shared.open();
        let number = open.next;
        open.next += 1;
        open.sockets.insert(number, (copy, false));
        drop(open);
        let guard = Guard { shared: Arc::clone(&self.shared), number };
        self.shared.counts.connections.fetch_add(1, Ordering::Relaxed);
        // A system without another thread to give closes the connection, by the guard.
        let _ = std::thread::Builder::new()
            .name("client".to_owned())
            .stack_size(256 << 10)
            .spawn(move || talk(&guard, socket, client));
    }
}

impl Stop {
    /// Ends it: no new connections, and no new requests on those that are open.
    pub fn now(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let open = self.shared.open();
        for (socket, _) in open.sockets.values().filter(|(_, busy)| !busy) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(open);
        self.shared.fewer.notify_all();
        // Whoever waits for a connection gets one.
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    }
}

/// One open connection, which is counted until it is dropped.
struct Guard {
    shared: Arc<Shared>,
    number: u64,
}

impl Guard {
    /// Whether a request is being answered; false if none is to be any more.
    fn busy(&self, busy: bool) -> bool {
        let mut open = self.shared.open();
        if let Some((_, slot)) = open.sockets.get_mut(&self.number) {
            *slot = busy;
        }
        !self.shared.stopping()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.open().sockets.remove(&self.number);
        self.shared.counts.connections.fetch_sub(1, Ordering::Relaxed);
        self.shared.fewer.notify_all();
    }
}

/// Answers the requests of a connection, one after the other.
fn talk(guard: &Guard, socket: TcpStream, client: SocketAddr) {
    let shared = &*guard.shared;
    let request = Duration::from_secs(shared.limits.request_seconds.max(1));
    let wait = Duration::from_secs(shared.limits.wait_seconds.max(1));
    let _ = socket.set_nodelay(true);
    let timed = socket.set_read_timeout(Some(request)).and_then(|()| socket.set_write_timeout(Some(wait)));
    let Ok(mut stream) = timed.and_then(|()| Stream::of(socket, shared.tls.as_ref())) else { return };
    let most = usize::try_from(shared.limits.request_bytes).unwrap_or(usize::MAX);
    let mut pending = Vec::new();
    loop {
        let came = wire::read(&mut stream, &mut pending, most, Instant::now() + request);
        if !guard.busy(true) {
            break;
        }
        let stays = match came {
            Ok(Came::Request(head)) => answered(shared, &mut stream, client, &head),
            Ok(Came::Bad(status, why)) => {
                let answer = Answer::error(status, "UNSUPPORTED", why);
                shared.counts.request("other", status);
                let _ = wire::write(&mut stream, &answer, false, false);
                false
            }
            Ok(Came::Nothing) | Err(_) => false,
        };
        if !stays || !guard.busy(false) {
            break;
        }
    }
    stream.close();
}

/// Answers one request; whether another may follow.
fn answered(shared: &Shared, stream: &mut Stream, client: SocketAddr, head: &Head) -> bool {
    let (began, now) = (Instant::now(), SystemTime::now());
    let request = &head.request;
    let user = shared.users.as_ref().and_then(|users| users.user(head.authorization.as_deref()));
    let answer = match &request.path[..] {
        "/healthz" => Answer::new(200, "text/plain; charset=utf-8", *b"ok\n"),
        _ if shared.users.is_some() && user.is_none() => {
            Answer::error(401, "UNAUTHORIZED", "a user name and a password are needed")
                .with("WWW-Authenticate", "Basic realm=\"restow\"")
        }
        "/metrics" => {
            let text = shared.counts.text(shared.shelf.counts());
            Answer::new(200, "text/plain; version=0.0.4; charset=utf-8", text.into_bytes())
        }
        _ => answer(&shared.shelf, request),
    };
    let stays = head.stays && !shared.stopping();
    let sent = wire::write(stream, &answer, request.method == "HEAD", stays);
    shared.counts.request(&request.method, answer.status);
    match &sent {
        Ok(bytes) => shared.counts.bytes.fetch_add(*bytes, Ordering::Relaxed),
        Err(_) => shared.counts.broken.fetch_add(1, Ordering::Relaxed),
    };
    let target = match &request.query[..] {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    shared.log.add(&Line {
        time: time::rfc3339(now),
        client: client.to_string(),
        user: user.as_deref(),
        method: &request.method,
        target: &target,
        status: answer.status,
        bytes: answer.body.len(),
        seconds: began.elapsed().as_secs_f64(),
        agent: head.agent.as_deref(),
        broken: sent.as_ref().err().map(io::Error::to_string),
    });
    sent.is_ok() && stays
}

//! Requests and answers as bytes of a connection (RFC 9112), with a limit on each: heads by `httparse`, bodies of requests
//! not at all.

use std::io::{self, Read, Write};
use std::time::Instant;

use super::answer::{Answer, Body};
use super::request::Request;

/// Headers of one request. 100: browsers send twenty.
const HEADERS: usize = 100;

/// What came of reading a request.
pub enum Came {
    /// A request.
    Request(Box<Head>),
    /// The client has gone, or sent nothing for too long.
    Nothing,
    /// What is no request that is answered; the status and why.
    Bad(u16, &'static str),
}

/// A request and what it says of the connection.
pub struct Head {
    /// The request.
    pub request: Request,
    /// Whether another may follow: nothing of this one is left to be read.
    pub stays: bool,
    /// `Authorization`
    pub authorization: Option<String>,
    /// `User-Agent`
    pub agent: Option<String>,
}

/// Reads the head of a request; `pending` holds what was read of the next one. All of it must have come by `deadline`, and have
/// no more than `most` bytes.
///
/// # Errors
/// The connection fails.
pub fn read(from: &mut dyn Read, pending: &mut Vec<u8>, most: usize, deadline: Instant) -> io::Result<Came> {
    loop {
        if let Some(came) = parse(pending) {
            return Ok(came);
        }
        if pending.len() >= most {
            return Ok(Came::Bad(431, "the head of the request is too long"));
        }
        let mut chunk = [0; 4096];
        let n = match from.read(&mut chunk) {
            Ok(n) => n,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => 0,
            Err(error) => return Err(error),
        };
        if n == 0 {
            return Ok(Came::Nothing);
        }
        let room = most - pending.len();
        pending.extend_from_slice(&chunk[..n.min(room)]);
        if n > room && parse(pending).is_none() {
            return Ok(Came::Bad(431, "the head of the request is too long"));
        }
        // Who sends a letter now and then does not hold the connection.
        if Instant::now() >= deadline {
            return Ok(Came::Bad(408, "the request took too long"));
        }
    }
}

/// The request that `pending` begins with, which is taken from it; `None` if more must come.
fn parse(pending: &mut Vec<u8>) -> Option<Came> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(pending) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        Err(httparse::Error::TooManyHeaders) => {
            return Some(Came::Bad(431, "the request has too many headers"));
        }
        Err(_) => return Some(Came::Bad(400, "that is no request of HTTP/1.1")),
    };
    let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
    let old = parsed.version == Some(0);
    // A target may be a whole address, as proxies send it.
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    let mut request = Request::new(method, target);
    let (mut closes, mut body, mut authorization, mut agent) = (old, false, None, None);
    for header in parsed.headers.iter() {
        let Ok(value) = str::from_utf8(header.value) else { continue };
        let value = value.trim();
        let named = |name: &str| header.name.eq_ignore_ascii_case(name);
        if named("accept") {
            let before = request.accept.take().map(|before| before + ",").unwrap_or_default();
            request.accept = Some(before + value);
        } else if named("range") {
            request.range = Some(value.to_owned());
        } else if named("if-range") {
            request.if_range = Some(value.to_owned());
        } else if named("if-none-match") {
            request.if_none_match = Some(value.to_owned());
        } else if named("authorization") {
            authorization = Some(value.to_owned());
        } else if named("user-agent") {
            agent = Some(value.to_owned());
        } else if named("transfer-encoding") {
            body = true;
        } else if named("content-length") {
            body |= value != "0";
        } else if named("connection") {
            closes |= value.split(',').any(|word| word.trim().eq_ignore_ascii_case("close"));
        }
    }
    let head = Head { request, stays: !closes && !body, authorization, agent };
    pending.drain(..length);
    Some(Came::Request(Box::new(head)))
}

/// Writes an answer; how many bytes of its body went out. Without them if the request was HEAD.
///
/// # Errors
/// The connection fails, or the blob is no longer what was verified: the connection must end then.
pub fn write(out: &mut dyn Write, answer: &Answer, head: bool, stays: bool) -> io::Result<u64> {
    let reason = match answer.status {
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "",
    };
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", answer.status);
    for (name, value) in &answer.headers {
        // Media types come from archives, and must not begin another header.
        let value: String = value.chars().filter(|letter| !letter.is_control()).collect();
        text += &format!("{name}: {value}\r\n");
    }
    if answer.status != 304 {
        text += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    text += "Docker-Distribution-Api-Version: registry/2.0\r\n";
    text += if stays { "Connection: keep-alive\r\n\r\n" } else { "Connection: close\r\n\r\n" };
    out.write_all(text.as_bytes())?;
    if !head {
        match &answer.body {
            Body::Bytes(bytes) => out.write_all(bytes)?,
            Body::Blob(blob, (from, length)) => blob.send(*from, *length, out)?,
        }
    }
    out.flush()?;
    Ok(if head { 0 } else { answer.body.len() })
}

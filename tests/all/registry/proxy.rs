//! A proxy in front of a registry of its own process: it hands requests and answers on, counts them, and plants the
//! faults that the registry inside the tests has.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::server::{Act, Plant, Request, Response, Seen, befalls, head, send};
use crate::listening::{Listening, Open};

/// What goes wrong, and what went through.
#[derive(Default)]
pub struct Passing {
    pub plants: Vec<Plant>,
    pub seen: Vec<Seen>,
}

/// The proxy. Stops when it is dropped.
pub struct Proxy {
    pub address: String,
    listening: Listening,
    passing: Arc<Mutex<Passing>>,
}

impl Proxy {
    /// In front of `behind`, an address.
    pub fn start(behind: &str) -> Proxy {
        let passing: Arc<Mutex<Passing>> = Arc::default();
        let (shared, behind) = (Arc::clone(&passing), behind.to_owned());
        let listening = Listening::start(move |stream, over| {
            let _ = connection(&stream, &behind, &shared, over);
            let _ = stream.shutdown(Shutdown::Both);
        });
        Proxy { address: format!("localhost:{}", listening.at.port()), listening, passing }
    }

    /// The connections that it has.
    pub fn open(&self) -> &Open {
        &self.listening.open
    }

    pub fn passing(&self) -> MutexGuard<'_, Passing> {
        lock(&self.passing)
    }
}

fn lock(passing: &Mutex<Passing>) -> MutexGuard<'_, Passing> {
    passing.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The registry's end of a connection.
struct Behind(BufReader<TcpStream>);

impl Drop for Behind {
    /// Whatever the registry still does with what it was sent has come to its end when it closes the connection.
    fn drop(&mut self) {
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
        let _ = std::io::copy(&mut self.0, &mut std::io::sink());
    }
}

fn connection(
    client: &TcpStream,
    behind: &str,
    passing: &Mutex<Passing>,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    let limit = Some(Duration::from_secs(60));
    client.set_read_timeout(limit)?;
    client.set_nodelay(true)?;
    let registry = TcpStream::connect(behind)?;
    registry.set_read_timeout(limit)?;
    registry.set_nodelay(true)?;
    let mut registry = Behind(BufReader::new(registry));
    let mut reader = BufReader::new(client.try_clone()?);
    while !stop.load(Ordering::Relaxed) {
        let Some(request) = head(&mut reader) else { return Ok(()) };
        let act = {
            let mut passing = lock(passing);
            passing.seen.push(request.seen());
            befalls(&mut passing.plants, &request)
        };
        let response = match &act {
            Some(Act::Hang) => return Ok(()),
            Some(Act::Silent) => {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return Ok(());
            }
            Some(Act::Status(status, headers, body)) => {
                std::io::copy(&mut (&mut reader).take(request.length() as u64), &mut std::io::sink())?;
                Response::planted(*status, headers.clone(), body.clone())
            }
            Some(Act::TakeAndHang(taken)) => {
                hand_on(&request, &mut reader, registry.0.get_ref(), *taken, false)?;
                return Ok(());
            }
            _ => {
                let whole = matches!(act, Some(Act::WholeAnyway));
                hand_on(&request, &mut reader, registry.0.get_ref(), usize::MAX, whole)?;
                answer(&request, &mut registry.0)?
            }
        };
        if !send(client, &request, response, act.as_ref(), stop) {
            return Ok(());
        }
    }
    Ok(())
}

/// Hands a request on, its body as it comes, and of that at most so much.
fn hand_on(
    request: &Request,
    from: &mut impl Read,
    mut to: &TcpStream,
    most: usize,
    whole: bool,
) -> std::io::Result<()> {
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in request.headers.iter().filter(|(name, _)| !(whole && *name == "range")) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    to.write_all(format!("{text}\r\n").as_bytes())?;
    let (mut rest, mut buffer) = (request.length().min(most), [0; 16 << 10]);
    while rest > 0 {
        let n = from.read(&mut buffer[..rest.min(16 << 10)])?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(&buffer[..n])?;
        rest -= n;
    }
    Ok(())
}

/// Reads the answer of the registry.
fn answer(request: &Request, from: &mut BufReader<TcpStream>) -> std::io::Result<Response> {
    let wrong = || std::io::Error::other("no answer of HTTP/1.1");
    let mut line = String::new();
    from.read_line(&mut line)?;
    let status =
        line.split_ascii_whitespace().nth(1).and_then(|status| status.parse().ok()).ok_or_else(wrong)?;
    let mut response = Response::new(status);
    let (mut length, mut chunked) = (0, false);
    loop {
        line.clear();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" if request.method == "HEAD" => response = response.with("Content-Length", value),
            "content-length" => length = value.parse().map_err(|_| wrong())?,
            "transfer-encoding" => chunked = true,
            "connection" => {}
            _ => response = response.with(name, value),
        }
    }
    if request.method == "HEAD" || status == 204 {
        response.mute = true;
        return Ok(response);
    }
    while chunked {
        line.clear();
        from.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(|_| wrong())?;
        from.take(size as u64).read_to_end(&mut response.body)?;
        // The line's end behind the piece; behind the last one there are no trailers.
        from.read_line(&mut line)?;
        chunked = size > 0;
    }
    from.take(length).read_to_end(&mut response.body)?;
    if (response.body.len() as u64) < length {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(response)
}

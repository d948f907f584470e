//! `restow serve`: archives as a registry, read-only.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs as _};

use super::args::ServeArgs;
use super::open::source;
use super::progress::Told;
use super::remote::{Side, platforms};
use super::shell::{Doing, Shell, doing, on_signal};
use super::status::WRONG;
use crate::colour::{STRONG_AMBER, STRONG_GREEN};
use crate::command::{Verdict, named};
use crate::error::{Context, Error, Result};
use crate::escape::escape_str;
use crate::serve::{Server, Settings as ServeSettings, Shelf};
use crate::{Place, Policy, Request};

/// Names that are told at the start; more are counted.
const NAMES: usize = 20;

pub(super) fn run(args: &ServeArgs, policy: &Policy, shell: &Shell) -> Result<u8> {
    let listen: Vec<SocketAddr> = args
        .listen
        .to_socket_addrs()
        .map_err(|error| {
            Error::refused_help(
                format!("--listen {}: {error}", args.listen),
                "give an address and a port: --listen 127.0.0.1:5000",
            )
        })?
        .collect();
    let log: Option<Box<dyn Write + Send>> = match &args.access_log {
        None => None,
        Some(path) if path.as_os_str() == "-" => Some(Box::new(io::stdout())),
        Some(path) => {
            Some(Box::new(OpenOptions::new().create(true).append(true).open(path).at("cannot open", path)?))
        }
    };
    doing(if shell.common.quiet { Doing::Nothing } else { Doing::Shelving });
    let mut shelf = Shelf::default();
    let (mut names, mut broken, mut spooled) = (Vec::new(), false, 0);
    for text in &args.place {
        let (name, place) = named(text)?;
        match one(&mut shelf, name, place, args, policy, shell)? {
            Some((found, bytes)) => {
                spooled += bytes;
                names.extend(found);
            }
            None => broken = true,
        }
    }
    if broken {
        shell.say("nothing is served: `restow check` tells more of it, and -W RULE takes a fault as it is");
        return Ok(WRONG);
    }
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    let beyond = listen.iter().find(|address| !address.ip().is_loopback());
    if let (Some(address), None) = (beyond, &tls) {
        let told = shell.paint_error(STRONG_AMBER, "warning");
        shell.say(&format!(
            "{told}: {address} can be reached from elsewhere, and without --tls-cert anybody can read along"
        ));
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let settings =
        ServeSettings { listen, tls, htpasswd: args.htpasswd.clone(), log, limits: shell.limits()? };
    let server = Server::bind(shelf, settings)?;
    let address = server.address();
    let mut lines = vec![format!("{} {scheme}://{address}", shell.paint_error(STRONG_GREEN, "serving"))];
    let most = if shell.common.verbose { usize::MAX } else { NAMES };
    lines.extend(names.iter().take(most).map(|name| format!("  {address}/{}", escape_str(name))));
    lines.extend((names.len() > most).then(|| format!("  and {} more (-v names them)", names.len() - most)));
    if spooled > 0 {
        lines.push(format!(
            "  {spooled} bytes stand unpacked in the folder for temporary files until the end"
        ));
    }
    // Who reads the address may end it from then on.
    doing(Doing::Nothing);
    let stop = server.stop();
    on_signal(move |_| stop.now());
    shell.say(&lines.join("\n"));
    let requests = server.run();
    shell.say(&format!("ended after {}", crate::command::counted(requests, "request")));
    Ok(0)
}

/// Puts a place on the shelf; its names and what was unpacked, or nothing if it is broken.
fn one(
    shelf: &mut Shelf,
    name: Option<&str>,
    text: &str,
    args: &ServeArgs,
    policy: &Policy,
    shell: &Shell,
) -> Result<Option<(Vec<String>, u64)>> {
    let place = Place::parse(text)?;
    let told = Told::new(&shell.common);
    let options = crate::Options { policy: policy.clone(), ..shell.options(&told, place.is_remote())? };
    let request = Request {
        images: args.image.clone(),
        platforms: platforms(&args.platform)?,
        sparse: args.sparse,
        ..Request::default()
    };
    let shelved = shelf.put(source(&place, Side::First, &[], shell)?, name, request, &options)?;
    let findings: Vec<_> = shelved.findings.iter().map(|finding| (finding.level, finding)).collect();
    if shelved.names.is_none() || findings.iter().any(|(level, _)| *level >= shell.least()) {
        let what = shelved.archive.summary();
        let images = crate::command::images(&shelved.archive);
        let lowered = &shelved.lowered;
        let verdict =
            Verdict { place: text, what: &what, findings: &findings, images: &images, hints: &[], lowered };
        // Where something is wrong, that is told with --quiet, too.
        let text = shell.report(&verdict, &shelved.archive, shell.human(&io::stderr()));
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
    Ok(shelved.names.map(|names| (names, shelved.spooled)))
}

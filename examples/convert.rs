//! Converts an archive, says how far it is, and can be told to stop:
//! `cargo run --example convert -- app.tar oci:DIR`.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use restow::convert::{Compress, DockerFormat};
use restow::{Destination, End, Options, Progress, Request, Source};

/// Counts bytes, and stops the job once there are too many.
struct Budget {
    read: AtomicU64,
    most: u64,
}

impl Progress for Budget {
    fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.read.load(Ordering::Relaxed) > self.most
    }
}

/// Writes all images with layers that zstd compressed, and says what became of what was there.
pub fn convert(
    from: &str,
    to: &str,
    most: u64,
    out: &mut dyn Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let budget = Budget { read: AtomicU64::new(0), most };
    let options = Options { progress: &budget, ..Options::default() };
    let mut request = Request::default();
    request.compress = Compress::parse("zstd")?;

    let destination = Destination::parse(to, DockerFormat::Universal)?;
    let outcome = restow::convert(Source::parse(from)?, destination, request, &options)?;
    match outcome.end {
        End::Written { account, .. } => {
            for line in account.summary() {
                writeln!(out, "{line}")?;
            }
        }
        End::Refused => {
            for finding in &outcome.findings {
                writeln!(out, "{}: {}", finding.rule.name, finding.message)?;
            }
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut places = std::env::args().skip(1);
    let (Some(from), Some(to)) = (places.next(), places.next()) else {
        return Err("give two places, such as app.tar and oci:DIR".into());
    };
    convert(&from, &to, u64::MAX, &mut io::stdout())
}

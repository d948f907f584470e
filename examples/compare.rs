//! Whether two places hold the same images, however they are kept: `cargo run --example compare -- A B`.

use std::io::{self, Write};
use std::process::ExitCode;

use restow::{Aspects, Options, Source};

/// Whether they do; what differs is written to `out`.
pub fn compare(a: &str, b: &str, out: &mut dyn Write) -> Result<bool, Box<dyn std::error::Error>> {
    let options = Options::default();
    let (a, b) = (restow::open(Source::parse(a)?, &options)?, restow::open(Source::parse(b)?, &options)?);
    // A conversion may compress layers anew, which changes what names them but not what is in them.
    let aspects = Aspects { digests: false, layers: false, ..Aspects::ALL };
    let compared = restow::compare((&a, None), (&b, None), aspects, &options)?;
    for fault in compared.a.faults.iter().chain(&compared.b.faults) {
        writeln!(out, "not sound: {}", fault.message)?;
    }
    for line in compared.lines(true) {
        writeln!(out, "{line}")?;
    }
    Ok(compared.is_same())
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut places = std::env::args().skip(1);
    let (Some(a), Some(b)) = (places.next(), places.next()) else {
        return Err("give two places, such as app.tar and oci:DIR".into());
    };
    Ok(if compare(&a, &b, &mut io::stdout())? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

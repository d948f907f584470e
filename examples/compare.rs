//! Whether two places hold the same images, however they are kept: `cargo run --example compare -- A B`.

use std::io::{self, Write};
use std::process::ExitCode;

use restow::{Aspects, Options, Source};

/// Whether they do; what differs is written to `out`.
pub fn compare(a: &str, b: &str, out: &mut dyn Write) -> Result<bool, Box<dyn std::error::Error>> {
    let options = Options::default();
    let (a, b) = (restow::open(Source::parse(a)?, &options)?, restow::open(Source::parse(b)?, &options)?);
    // A conversion may compress layers anew, which changes what names them but not what is in them.
    let aspects = Aspects { names: true, digests: false, layers: false, platforms: true };
    let compared = restow::compare((&a, None), (&b, None), aspects, &options)?;
    for difference in &compared.differences {
        writeln!(out, "{difference}")?;
    }
    Ok(compared.differences.is_empty())
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut places = std::env::args().skip(1);
    let (Some(a), Some(b)) = (places.next(), places.next()) else {
        return Err("give two places, such as app.tar and oci:DIR".into());
    };
    Ok(if compare(&a, &b, &mut io::stdout())? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

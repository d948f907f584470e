//! A gate of a pipeline: `cargo run --example gate -- PLACE` fails where an image is not sound for Docker.

use std::io::{self, Write};
use std::process::ExitCode;

use restow::{Level, Options, Policy, Profile, Source};

/// Whether the gate opens; what stands in the way is written to `out`.
pub fn gate(place: &str, out: &mut dyn Write) -> Result<bool, Box<dyn std::error::Error>> {
    let mut policy = Policy::default();
    policy.profile(Profile::Docker);
    // What the team has decided to live with.
    policy.set("config/created-unset", Level::Allow)?;
    let options = Options { policy, ..Options::default() };

    let archive = restow::open(Source::parse(place)?, &options)?;
    let report = restow::check(&archive, &options)?;
    for finding in report.findings.iter().filter(|finding| finding.level == Level::Error) {
        writeln!(out, "{}: {}", finding.rule.name, finding.message)?;
    }
    Ok(report.summary().errors == 0)
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let place = std::env::args().nth(1).ok_or("give a place, such as app.tar or oci:DIR")?;
    Ok(if gate(&place, &mut io::stdout())? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

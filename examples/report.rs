//! A report of one's own, as a table in Markdown: `cargo run --example report -- PLACE`.

use std::io::{self, Write};

use restow::{Options, Source};

/// One row for each finding, worst first.
pub fn report(place: &str, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::default();
    let archive = restow::open(Source::parse(place)?, &options)?;
    let report = restow::check(&archive, &options)?;
    // Names in an archive may hold anything: places come escaped, and a bar would end a column.
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut rows: Vec<_> = report.findings.iter().zip(report.places()).collect();
    rows.sort_by_key(|(finding, _)| std::cmp::Reverse(finding.level));
    writeln!(out, "| Level | Rule | Where | What |\n|---|---|---|---|")?;
    for (finding, at) in rows {
        let (level, rule) = (finding.level.name(), finding.rule.name);
        writeln!(out, "| {level} | {rule} | {} | {} |", cell(&at), cell(&finding.message))?;
    }
    writeln!(out, "\n{}", report.summary())?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = std::env::args().nth(1).ok_or("give a place, such as app.tar or oci:DIR")?;
    report(&place, &mut io::stdout())
}

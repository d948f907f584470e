//! Lists the images of an archive of any form: `cargo run --example list -- PLACE`.

use std::io::{self, Write};

use restow::{Options, Source};

/// One line for each image: names, platform, image ID and layers.
pub fn list(place: &str, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
    // Nobody reads layers here, so a registry need not be asked for them.
    let source = Source::parse(place)?.without_blobs();
    let archive = restow::open(source, &Options::default())?;
    let mut pending = restow::inspect(&archive, &[])?.images;
    pending.reverse();
    while let Some(entry) = pending.pop() {
        if entry.kind == "image" {
            let names = entry.names.join(", ");
            let platform = entry.platform.unwrap_or_default();
            let id = entry.id.unwrap_or_default();
            writeln!(out, "{names}\t{platform}\t{id}\t{} layers", entry.layers.len())?;
        }
        // An index is called by a name, its images are not.
        let children = entry.manifests.into_iter().rev();
        pending.extend(children.map(|mut child| {
            child.names.extend(entry.names.clone());
            child
        }));
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = std::env::args().nth(1).ok_or("give a place, such as app.tar or oci:DIR")?;
    list(&place, &mut io::stdout())
}

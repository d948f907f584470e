//! `restow inspect`: what is in an archive, as a tree for people or as JSON. Layers are not read.

use super::args::InspectArgs;
use super::open::open;
use super::progress::Told;
use super::remote::{Side, platforms};
use super::report::Reports;
use super::shell::Shell;
use crate::command::{Look, Looked, Proof, Verdict};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::report::Lowered;
use crate::{Archive, Part, Place, Source, View};

pub(super) fn run(args: &InspectArgs, shell: &Shell) -> Result<u8> {
    let place = Place::parse(&args.source)?;
    let mut reports = Reports::of_view("inspect", &args.report, args.json)?;
    reports.apart(&place, crate::command::Used::Read)?;
    if args.tags {
        return tags(&place, shell);
    }
    let wanted = platforms(&args.platform)?;
    // A registry is asked for these alone.
    let (asked, wanted) = if place.is_registry() { (&wanted[..], &[][..]) } else { (&[][..], &wanted[..]) };
    let archive = open(&place, (Side::First, asked), shell, Source::without_blobs)?;
    let mut images = args.image.clone();
    images.extend(place.name.clone());
    if let Some(which) = &args.raw {
        let found = crate::command::raw_for(&archive, &images, wanted, which);
        let found = found.map_err(|error| a_layer(&archive, &place, which).unwrap_or(error));
        shell.print_bytes(&found?)?;
        return Ok(0);
    }
    let view = crate::command::inspect_for(&archive, &images, wanted)?;
    reports.own(|| view.to_json());
    // A report there takes its place.
    if !reports.takes_stdout() {
        shell.print_read(&drawn(&view, shell))?;
    }
    if reports.has_pages() {
        let part = if wanted.is_empty() { None } else { Some(Part::of(&archive, &images, wanted)?) };
        page(&place, (&archive, part.as_ref()), &images, shell, &mut reports)?;
    }
    reports.finish(shell, None)?;
    Ok(0)
}

/// What is said of the digest of a layer, which is no document: where its bytes are.
fn a_layer(archive: &Archive, place: &Place, which: &str) -> Option<Error> {
    let hex = which.strip_prefix("sha256:").unwrap_or(which);
    let fits = |digest: Option<&Digest>| digest.is_some_and(|digest| digest.encoded().starts_with(hex));
    let mut layers = archive.blobs.iter().filter(|blob| blob.layer && hex.len() >= 12);
    let layer = layers.find(|blob| fits(blob.digest.as_ref()))?;
    let message =
        format!("`{}` in {} is a layer, not a document", escape_str(which), escape_str(&place.text));
    let member = layer.member.filter(|_| !place.is_remote() && !place.is_standard());
    Some(match member.map(|member| archive.tree.member(member).name().to_string()) {
        Some(name) if place.path.is_dir() => {
            Error::refused_help(message, format!("cat {}", place.path.join(name).display()))
        }
        Some(name) => Error::refused_help(message, format!("tar -xOf {} {name}", place.path.display())),
        None => Error::refused(message),
    })
}

/// Adds the archive to the pages, with what its layers change where these are at hand.
fn page(
    place: &Place,
    (archive, part): (&Archive, Option<&Part>),
    images: &[String],
    shell: &Shell,
    reports: &mut Reports,
) -> Result<()> {
    let told = Told::new(&shell.common);
    let read = reports.is_drawn() && !place.is_remote();
    let changes = match read {
        true => Some(crate::command::changes(archive, &shell.options(&told, false)?)?),
        false => None,
    };
    let proof = if read { Proof::Looked } else { Proof::Documents };
    let what = archive.summary();
    let (text, lowered) = (&place.text, Lowered::NONE);
    let verdict = Verdict { place: text, what: &what, findings: &[], images: &[], hints: &[], lowered };
    let looked = Looked { proof, changes: changes.as_ref(), images, part, file: None };
    reports.add(shell, place, archive, &verdict, looked);
    Ok(())
}

/// The view for people: several images are a table, unless all of it is asked for.
fn drawn(view: &View, shell: &Shell) -> String {
    let look = Look { color: shell.color_out(), width: shell.cut() };
    match view.images.iter().map(|entry| entry.all().len()).sum::<usize>() {
        2.. if !shell.common.verbose => view.to_table(look),
        _ => view.to_tree(look),
    }
}

/// The tags of a repository, without reading any image, or the names in an archive.
fn tags(place: &Place, shell: &Shell) -> Result<u8> {
    let names = match place.is_registry() {
        true => crate::registry::tags(place, &shell.registry(place, Side::First)?, &shell.limits()?)?,
        false => {
            let archive = open(place, (Side::First, &[]), shell, Source::without_blobs)?;
            let images: Vec<String> = place.name.iter().cloned().collect();
            let view = crate::inspect(&archive, &images)?;
            view.images.into_iter().flat_map(|entry| entry.names).collect()
        }
    };
    let lines: String = names.iter().map(|name| format!("{}\n", escape_str(name))).collect();
    shell.print(&lines)?;
    Ok(0)
}

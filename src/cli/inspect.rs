//! `restow inspect`: what is in an archive, as a tree for people or as JSON. Layers are not read.

use super::args::InspectArgs;
use super::open::open;
use super::progress::Told;
use super::remote::{Side, platforms};
use super::report::{Own, Reports};
use super::shell::Shell;
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::{Archive, Look, Looked, Place, Proof, Source, Verdict, View};

pub(super) fn run(args: &InspectArgs, shell: &Shell) -> Result<u8> {
    let place = Place::parse(&args.source)?;
    let mut reports = Reports::parse(&args.report, args.json.then_some("the JSON"), Own::Stdout)?;
    reports.only_pages("inspect")?;
    reports.apart(&place, crate::Used::Read)?;
    if args.tags {
        return tags(&place, shell);
    }
    let archive = open(&place, (Side::First, &platforms(&args.platform)?), shell, Source::without_blobs)?;
    let mut images = args.image.clone();
    images.extend(place.name.clone());
    if let Some(which) = &args.raw {
        shell.print_bytes(&crate::raw(&archive, &images, which)?)?;
        return Ok(0);
    }
    let view = crate::inspect(&archive, &images)?;
    if reports.takes_stdout() {
        // The page goes there instead.
    } else if args.json {
        shell.print(&view.to_json())?;
    } else {
        shell.print(&drawn(&view, shell))?;
    }
    if !args.report.is_empty() {
        page(&place, &archive, &images, shell, &mut reports)?;
    }
    reports.finish(shell, None)?;
    Ok(0)
}

/// Adds the archive to the pages, with what its layers change where these are at hand.
fn page(
    place: &Place,
    archive: &Archive,
    images: &[String],
    shell: &Shell,
    reports: &mut Reports,
) -> Result<()> {
    let told = Told::new(&shell.common);
    let read = reports.is_drawn() && !place.is_remote();
    let changes = match read {
        true => Some(crate::changes(archive, &shell.options(&told, false)?)?),
        false => None,
    };
    let proof = if read { Proof::Looked } else { Proof::Documents };
    let what = archive.summary();
    let verdict = Verdict { place: &place.text, what: &what, findings: &[], images: &[], hints: &[] };
    reports.add(
        shell,
        place,
        archive,
        &verdict,
        Looked { proof, changes: changes.as_ref(), images, part: None, file: None },
    );
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

/// The tags of a repository, without reading any image.
fn tags(place: &Place, shell: &Shell) -> Result<u8> {
    if !place.is_remote() {
        let help = "leave --tags out: the names of an archive are shown with its images";
        return Err(Error::refused_help("--tags goes with docker://HOST/NAME", help));
    }
    let names = crate::tags(place, &shell.registry(place, Side::First)?, &shell.limits()?)?;
    let lines: String = names.iter().map(|name| format!("{}\n", escape_str(name))).collect();
    shell.print(&lines)?;
    Ok(0)
}

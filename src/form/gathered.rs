//! Archives of which the parts lie elsewhere: a layout that is put together from others, and an archive with what it
//! lacked. Nothing is copied: members are read where they are.

use std::sync::Arc;

use super::forms::FORMS;
use super::oci_layout::{self, OCI_LAYOUT, blob_path};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::form::sink::Output;
use crate::limits::Limits;
use crate::location::MemberId;
use crate::model::{Anomaly, Archive, Form, Sought};
use crate::source::{Becomes, Held, Ingested, MemberName, Tree};

/// An OCI layout of these blobs, with the roots of `output`.
///
/// # Errors
/// A root that points at no document; documents that cannot be read.
pub fn layout(place: &str, blobs: Vec<(Digest, Held)>, output: &Output, limits: &Limits) -> Result<Archive> {
    let index = oci_layout::index_json(output, None)?;
    let mut members: Vec<(MemberName, Held)> = vec![
        ("oci-layout".into(), Held::Made(Arc::from(OCI_LAYOUT))),
        ("index.json".into(), Held::Made(index.into())),
    ];
    members.extend(blobs.into_iter().map(|(digest, held)| (blob_path(&digest).into(), held)));
    oci_layout::open(Tree::gathered(place, members), Ingested::new(), limits)
}

/// A blob that an archive lacks and that was found elsewhere.
pub struct Found {
    /// Its digest.
    pub digest: Digest,
    /// Whether it is a manifest or index.
    pub manifest: bool,
    /// Where it is.
    pub held: Held,
}

/// Where a form has a blob; `None` if it has none by its digest.
pub fn place_of(form: Form, tree: &Tree, digest: &Digest, manifest: bool) -> Option<MemberName> {
    let sought = if manifest { Sought::Manifest } else { Sought::Blob };
    (FORMS.reading(form)?.place)(tree, digest, sought)
}

/// An archive opened anew with what it lacked.
///
/// # Errors
/// Its form has no place for blobs; documents cannot be read.
pub fn filled(archive: Archive, more: Vec<Found>, limits: &Limits) -> Result<Archive> {
    let Archive { form, tree, anomalies, ingested, .. } = archive;
    let named: Option<Vec<(MemberName, Held)>> = more
        .iter()
        .map(|found| Some((place_of(form, &tree, &found.digest, found.manifest)?, found.held.clone())))
        .collect();
    let (Some(named), Some(reading)) = (named, FORMS.reading(form)) else {
        let message = format!("{} cannot be filled: a {form} place has no blobs of its own", tree.place);
        let help = "convert it to an OCI layout first, and fill that";
        return Err(Error::refused_help(message, help).of(ErrorKind::Unsupported));
    };
    let mut archive = (reading.open)(tree.with(named), ingested, limits)?;
    // It was found by who looked for the form.
    archive.anomalies.extend(anomalies.into_iter().filter(|odd| matches!(odd, Anomaly::InsideFolder { .. })));
    Ok(archive)
}

/// An archive opened anew with some members changed, and where each of its members is now. What refers to a digest that
/// `moved` refers to the one in its place.
///
/// # Errors
/// Its form stands in no files; documents cannot be read.
pub fn changed(
    archive: Archive,
    becomes: &dyn Fn(MemberId) -> Becomes,
    more: Vec<(MemberName, Held)>,
    moved: &[(Digest, Digest)],
    limits: &Limits,
) -> Result<(Archive, Vec<Option<MemberId>>)> {
    let Archive { form, tree, anomalies, ingested, .. } = archive;
    let Some(reading) = FORMS.reading(form) else {
        let message = format!("{} cannot be changed: a {form} place has no members of its own", tree.place);
        let help = "convert it to an OCI layout first, and fix that";
        return Err(Error::refused_help(message, help).of(ErrorKind::Unsupported));
    };
    let (tree, now) = tree.changed(becomes, more, moved);
    let at = |member: &MemberId| *now.get(member.0 as usize)?;
    let same = |member: &MemberId| matches!(becomes(*member), Becomes::Same);
    let known = ingested.into_iter().filter(|(member, _)| same(member));
    let ingested = known.filter_map(|(member, facts)| Some((at(&member)?, facts))).collect();
    let mut archive = (reading.open)(tree, ingested, limits)?;
    archive.anomalies.extend(anomalies.into_iter().filter(|odd| matches!(odd, Anomaly::InsideFolder { .. })));
    Ok((archive, now))
}

//! What is said of each anomaly: one exhaustive match, so that a new anomaly does not compile before somebody has decided
//! what is wrong with it. Where nothing is said, the reason stands beside it. Words and rules are those of the families.

use bstr::ByteSlice;

use super::archive::{
    AMBIGUOUS_HEADER, BAD_HEADER, DATA_AFTER_END, DUPLICATE_MEMBER, LIMIT_HIT, POLYGLOT, REPEATED_MEMBER,
    TRUNCATED, ambiguous, is_cut,
};
use super::{archive, container, docker_archive, document, legacy, storage};
use crate::facts::Facts;
use crate::finding::Finding;
use crate::json::{Anomaly as Odd, Value};
use crate::location::{At, Location, MemberId};
use crate::model::{Anomaly, Archive, V1Problem};
use crate::source::{Tree, TreeAnomaly};
use crate::tar::AnomalyKind;

/// Findings of all anomalies of an archive, but for the consequences of others.
pub fn all(archive: &Archive, facts: &Facts, out: &mut Vec<Finding>) {
    let cut = is_cut(archive);
    for anomaly in &archive.anomalies {
        match anomaly {
            Anomaly::Tree(anomaly) => tree(&archive.tree, anomaly, archive, facts, out),
            // What a cut archive lacks is a consequence of the cut.
            Anomaly::MissingMember { .. } | Anomaly::Empty { .. } if cut => {}
            Anomaly::V1 { problem: V1Problem::NoJson, .. } if cut => {}
            Anomaly::Empty { at } if !lists(archive, at) => {}
            // The only tag may be the broken one.
            Anomaly::Empty { .. } if archive.anomalies.iter().any(is_tag_without_target) => {}
            other => out.extend(judge(other, archive)),
        }
    }
}

/// Findings about a single document or layer outside any archive.
pub fn alone(archive: &Archive, out: &mut Vec<Finding>) {
    for anomaly in &archive.anomalies {
        match anomaly {
            Anomaly::Empty { at } if !lists(archive, at) => {}
            other => out.extend(judge(other, archive)),
        }
    }
}

fn is_tag_without_target(anomaly: &Anomaly) -> bool {
    matches!(anomaly, Anomaly::TagWithoutTarget { .. })
}

/// Whether there is a list of images that can be empty: what is no JSON, or no list, is a fault of its own.
fn lists(archive: &Archive, at: &Location) -> bool {
    let At::Pointer(pointer) = &at.at else { return true };
    let Some(document) = at.member.and_then(|member| archive.document_at(member)) else { return true };
    let list = document.root().and_then(|root| root.at(pointer));
    // What is listed twice, or under a digest that is none, is a fault of its own.
    let twice = document.json.as_ref().is_ok_and(|json| {
        json.anomalies.iter().any(|odd| matches!(odd, Odd::DuplicateKey { pointer: at, .. } if at == pointer))
    });
    // Docker 25.0.0 to 25.0.2 wrote null for no images into `index.json`.
    let null = |list: &Value| list.is_null() && !pointer.is_empty();
    list.is_some_and(|list| (list.is_array() && list.items().is_empty()) || null(list)) && !twice
}

/// What to do about a tar that was made text.
const AS_TEXT: &str = "the tar passed through something that takes it for text, such as `>` in PowerShell before 7.4; let the tool write the file itself, with `-o FILE`";

fn tree(tree: &Tree, anomaly: &TreeAnomaly, archive: &Archive, facts: &Facts, out: &mut Vec<Finding>) {
    match anomaly {
        TreeAnomaly::Tar(anomaly) => {
            let at = Location { member: None, at: At::Offset(anomaly.offset) };
            let (rule, message) = match anomaly.kind {
                AnomalyKind::BadChecksum { .. } => (
                    &BAD_HEADER,
                    "the tar header has a wrong checksum; nothing behind it can be read".to_owned(),
                ),
                AnomalyKind::TruncatedHeader { have } => (
                    &TRUNCATED,
                    format!("the archive ends inside a tar header, {have} of 512 bytes are there"),
                ),
                AnomalyKind::TruncatedData { needed, have } => {
                    let member = tree.members.iter().find(|member| member.header_offset() == anomaly.offset);
                    let what =
                        member.map_or_else(|| "a header".to_owned(), |m| format!("member `{}`", m.name()));
                    (
                        &TRUNCATED,
                        format!("the archive ends inside {what}: it needs {needed} bytes, {have} are there"),
                    )
                }
                AnomalyKind::ConflictingNames => {
                    (&AMBIGUOUS_HEADER, "PAX and GNU headers give one member different names".to_owned())
                }
                AnomalyKind::NulInPath => (&AMBIGUOUS_HEADER, "a member's name holds a NUL".to_owned()),
                AnomalyKind::MalformedPax { .. } => {
                    (&AMBIGUOUS_HEADER, "a PAX header is malformed".to_owned())
                }
                AnomalyKind::ExtensionTooLarge { size, .. } => {
                    let message = format!("an extension header is {size} bytes (limit extension-bytes)");
                    out.push(Finding::new(&LIMIT_HIT, at, message).raise("extension-bytes", Some(size)));
                    return;
                }
                AnomalyKind::DataAfterEnd { bytes } => {
                    (&DATA_AFTER_END, format!("{bytes} bytes that are not zero follow the end of the tar"))
                }
                AnomalyKind::EntriesAfterEnd { bytes } | AnomalyKind::TocAfterEnd { bytes } => {
                    (&DATA_AFTER_END, format!("another tar of {bytes} bytes follows the end of the first"))
                }
                // What follows it is no header either: that is said.
                AnomalyKind::LoneZeroBlock if bad_header_at(tree, anomaly.offset + 512) => return,
                _ => {
                    out.extend(container::anomaly(&TreeAnomaly::Tar(*anomaly)));
                    return;
                }
            };
            let finding = Finding::new(rule, at, message);
            out.push(match anomaly.kind {
                AnomalyKind::BadChecksum { text: true } => finding.help(AS_TEXT),
                _ => finding,
            });
        }
        TreeAnomaly::AfterStream(_) => out.extend(container::anomaly(anomaly)),
        TreeAnomaly::Ambiguous { member, fault } => out.push(ambiguous(tree, *member, *fault)),
        TreeAnomaly::Polyglot { codec } => {
            let message = format!(
                "the archive begins like {} and like a tar: readers take it for either",
                codec.name()
            );
            out.push(Finding::new(&POLYGLOT, Location::archive(), message));
        }
        TreeAnomaly::Duplicate { first, again } => duplicate(archive, facts, *first, *again, out),
        TreeAnomaly::OuterStream { problem } => {
            let message =
                format!("the compressed stream around the archive cannot be read to its end: {problem}");
            out.push(Finding::new(&TRUNCATED, Location::archive(), message));
        }
        TreeAnomaly::SpoolTooLarge { name, limit } => {
            let what = match *name {
                "spooled-member-bytes" => format!("a member is more than {limit} bytes"),
                "spool-ratio" => format!("the archive unfolds to more than {limit} times its size"),
                "empty-frames" => {
                    format!("the archive has more than {limit} frames without content in a row")
                }
                "zstd-window-log" => format!("the archive needs a dictionary above 2^{limit} bytes"),
                _ => format!("the members are more than {limit} bytes once spooled"),
            };
            let message = format!("{what} (limit {name})");
            out.push(Finding::new(&LIMIT_HIT, Location::archive(), message).raise(name, None));
        }
        TreeAnomaly::TooManyMembers { limit } => {
            let message = format!("the archive has more than {limit} members (limit members)");
            out.push(Finding::new(&LIMIT_HIT, Location::archive(), message).raise("members", None));
        }
    }
}

fn bad_header_at(tree: &Tree, offset: u64) -> bool {
    tree.anomalies.iter().any(|anomaly| {
        matches!(anomaly, TreeAnomaly::Tar(odd) if odd.offset == offset && matches!(odd.kind, AnomalyKind::BadChecksum { .. }))
    })
}

/// Whether two members of one name are the same.
fn duplicate(archive: &Archive, facts: &Facts, first: MemberId, again: MemberId, out: &mut Vec<Finding>) {
    let tree = &archive.tree;
    let (a, b) = (tree.member(first), tree.member(again));
    let digest = facts.members.get(&first);
    let equal = digest.is_some() && digest == facts.members.get(&again);
    let same = a.kind() == b.kind() && a.size == b.size && (a.size == 0 || equal);
    let offset = |id: MemberId| format!("header at offset {}", tree.member(id).header_offset());
    let (rule, words) =
        if same { (&REPEATED_MEMBER, "with the same bytes") } else { (&DUPLICATE_MEMBER, "and differs") };
    let message = format!("member `{}` stands twice {words}", a.name().as_bstr());
    let finding = Finding::new(rule, Location::member(again), message).label(offset(again));
    out.push(finding.related(Location::member(first), offset(first)));
}

/// The finding of an anomaly; [`all`] says before which of them are consequences of others.
pub fn judge(anomaly: &Anomaly, archive: &Archive) -> Option<Finding> {
    match anomaly {
        // Judged with the facts of the members, in `tree`.
        Anomaly::Tree(_) => None,
        // Nothing is wrong with it: a conversion tells in its account that the members stay behind.
        Anomaly::LegacyIgnored { .. } => None,
        Anomaly::MissingMember { name, of } => Some(archive::missing_member(name, of, archive)),
        Anomaly::InsideFolder { folder } => Some(archive::inside_folder(folder)),
        Anomaly::Empty { at } => Some(archive::empty(at)),
        Anomaly::LimitHit { at, name, limit } => Some(archive::limit_hit(at, name, *limit)),
        Anomaly::DocumentTooLarge { member, size, limit, name } => {
            Some(archive::document_too_large(*member, *size, *limit, name))
        }
        Anomaly::HalvesDisagree { at, other, what } => {
            Some(archive::halves_disagree(at, other.as_ref(), what))
        }
        Anomaly::BadName { at, text, problem } => Some(archive::bad_name(at, text, problem)),
        Anomaly::TagTwice { at, first, name } => Some(archive::tag_twice(at, first, name)),
        Anomaly::BadLink { member, content } => Some(archive::bad_link(*member, content)),
        Anomaly::TagWithoutTarget { member, repository, tag } => {
            Some(archive::tag_without_target(*member, repository, tag))
        }
        Anomaly::LinkTargetMissing { member, digest, what } => {
            Some(archive::link_target_missing(*member, digest, what))
        }
        Anomaly::Undecidable { member } => document::undecidable(*member, archive),
        Anomaly::Cycle { at, digest } => Some(document::cycle(at, digest)),
        Anomaly::V1 { at, problem } => Some(legacy::v1(at, problem)),
        Anomaly::UnknownImage { at, id } => Some(legacy::unknown_image(at, id)),
        Anomaly::Legacy { at, problem } => Some(docker_archive::legacy(at, problem)),
        Anomaly::Storage { at, problem } => storage::odd(at, problem, archive),
    }
}

//! Findings about what is in layers: one table from what was seen to the rule and its words.

use super::layer::Which;
use super::{entry, layer_tar, whiteout};
use crate::finding::{Finding, Level, Rule};
use crate::layer::evidence::{Oddities, in_words};
use crate::layer::{Detail, Evidence, LayerFacts, Oddity, Seen};
use crate::location::{At, Location, MemberId};

type Say = fn(&Evidence) -> String;

/// What each oddity means: the rule, and what is said of an entry after its name. Where there is no entry, the sentence
/// begins with the layer.
const MEANINGS: &[(Oddity, &Rule, Say)] = &[
    (Oddity::BadHeader, &layer_tar::BAD_HEADER, |seen| match seen.offset {
        0 => match &seen.detail {
            Detail::Text(what) => format!("is not a tar, but {what}"),
            _ => "is not a tar: its first header has a wrong checksum".into(),
        },
        offset => format!("has a header with a wrong checksum at offset {offset}"),
    }),
    (Oddity::Truncated, &layer_tar::TRUNCATED, |seen| match seen.detail {
        Detail::Short { needed, have } => {
            format!(
                "ends inside an entry at offset {}, which needs {needed} bytes where {have} are there",
                seen.offset
            )
        }
        Detail::Text(ref what) => format!("is not a tar, but {what}"),
        _ => "ends inside an entry".into(),
    }),
    (Oddity::LoneZeroBlock, &layer_tar::LONE_ZERO_BLOCK, |seen| {
        format!("has a single block of zeros between entries at offset {}", seen.offset)
    }),
    (Oddity::NoEnd, &layer_tar::NO_END, words),
    (Oddity::HiddenData, &layer_tar::HIDDEN_DATA, |seen| {
        format!("has {} behind its end, which no tool shows", bytes(seen))
    }),
    (Oddity::HiddenEntries, &layer_tar::HIDDEN_ENTRIES, |seen| {
        format!("has further entries behind its end, {} in all", bytes(seen))
    }),
    (Oddity::BadExtension, &layer_tar::BAD_EXTENSION, words),
    (Oddity::ExtensionTooLarge, &layer_tar::EXTENSION_TOO_LARGE, |seen| {
        format!("has an extension header of {}", bytes(seen))
    }),
    (Oddity::AmbiguousExtension, &layer_tar::AMBIGUOUS_EXTENSION, words),
    (Oddity::GlobalOverride, &layer_tar::GLOBAL_OVERRIDE, |_| {
        "is a PAX global header that sets a path, a link target or a size".into()
    }),
    (Oddity::BadNumber, &layer_tar::BAD_NUMBER, words),
    (Oddity::UnknownType, &layer_tar::UNKNOWN_TYPE, |seen| match seen.detail {
        Detail::Type(flag) => format!("has the type flag {:?}", char::from(flag)),
        _ => "has an unknown type flag".into(),
    }),
    (Oddity::Sparse, &layer_tar::SPARSE, |_| "is a sparse file".into()),
    (Oddity::GnuSparse, &layer_tar::GNU_SPARSE, |_| "is a sparse file in GNU's old form".into()),
    (Oddity::SizeOnNonFile, &layer_tar::SIZE_ON_NON_FILE, |seen| {
        format!("is no file, and has a size of {}", bytes(seen))
    }),
    (Oddity::OwnerOutOfRange, &layer_tar::OWNER_OUT_OF_RANGE, |seen| {
        format!("has {} as user or group ID", number(seen))
    }),
    (Oddity::TimeOutOfRange, &layer_tar::TIME_OUT_OF_RANGE, |seen| {
        format!("has a modification time {} seconds from 1970", number(seen))
    }),
    (Oddity::TooManyEntries, &layer_tar::TOO_MANY_ENTRIES, |seen| match seen.detail {
        Detail::Size(limit) => format!("is the first entry beyond the limit of {limit}"),
        _ => "is the first entry beyond the limit".into(),
    }),
    (Oddity::AbsoluteName, &entry::ABSOLUTE_NAME, |_| "is an absolute path".into()),
    (Oddity::EscapingName, &entry::ESCAPING_NAME, |_| "climbs above the root".into()),
    (Oddity::EmptyName, &entry::EMPTY_NAME, |seen| match seen.path.is_empty() {
        true => "has an entry without a name that is no directory".into(),
        false => "is the root by its name, and no directory".into(),
    }),
    (Oddity::AbsoluteHardLink, &entry::ABSOLUTE_HARD_LINK, |seen| {
        format!("is a hard link to {}, an absolute path", text(seen))
    }),
    (Oddity::EscapingHardLink, &entry::ESCAPING_HARD_LINK, |seen| {
        format!("is a hard link to {}, above the root", text(seen))
    }),
    (Oddity::EscapingSymlink, &entry::ESCAPING_SYMLINK, |seen| {
        format!("is a symbolic link to {}, above the root", text(seen))
    }),
    (Oddity::AbsoluteSymlink, &entry::ABSOLUTE_SYMLINK, |seen| {
        format!("is a symbolic link to {}", text(seen))
    }),
    (Oddity::NotUtf8, &entry::NOT_UTF8, |_| "is not UTF-8".into()),
    (Oddity::LongPath, &entry::LONG_PATH, |seen| {
        format!("is a path of {}, or has a name of more than 255", bytes(seen))
    }),
    (Oddity::Device, &entry::DEVICE, |_| "is a device".into()),
    (Oddity::SetId, &entry::SET_ID, |seen| match seen.detail {
        Detail::Number(mode) => format!("runs as its owner or group (mode {mode:04o})"),
        _ => "runs as its owner or group".into(),
    }),
    (Oddity::Capability, &entry::CAPABILITY, |_| "has capabilities".into()),
    (Oddity::BadCapability, &entry::BAD_CAPABILITY, |seen| {
        format!("has capabilities of {} that are of no revision with that length", bytes(seen))
    }),
    (Oddity::SecurityXattr, &entry::SECURITY_XATTR, |seen| {
        format!("has the extended attribute {}", text(seen))
    }),
    (Oddity::OverlayWhiteout, &entry::OVERLAY_WHITEOUT, |_| {
        "is a character device 0/0, a whiteout of overlay file systems".into()
    }),
    (Oddity::OverlayXattr, &entry::OVERLAY_XATTR, |seen| {
        format!("has the extended attribute {}", text(seen))
    }),
    (Oddity::OwnerName, &entry::OWNER_NAME, |seen| format!("has an owner by name, {}", text(seen))),
    (Oddity::WhiteoutNotEmpty, &whiteout::NOT_EMPTY_FILE, |seen| match seen.detail {
        Detail::Size(size) if size > 0 => {
            format!("is a whiteout of {}", crate::finding::counted(size, "byte"))
        }
        _ => "is a whiteout that is no regular file".into(),
    }),
    (Oddity::WhiteoutBadName, &whiteout::BAD_NAME, |seen| match seen.path.ends_with(b".wh.") {
        true => "is a whiteout of no name".into(),
        false => "is a whiteout of a directory itself or of the one above it, not of a name".into(),
    }),
    (Oddity::Aufs, &whiteout::AUFS, |_| "is metadata of AUFS".into()),
    (Oddity::DuplicatePath, &entry::DUPLICATE_PATH, |seen| {
        format!("stands twice{}", other(seen, ", first at"))
    }),
    (Oddity::BelowEscapingLink, &entry::BELOW_ESCAPING_LINK, |seen| {
        format!("lies below a symbolic link that climbs above the root{}", other(seen, ":"))
    }),
    (Oddity::BelowLink, &entry::BELOW_LINK, |seen| {
        format!("lies below a symbolic link that leads to no directory of its layer{}", other(seen, ":"))
    }),
    (Oddity::BelowResolvedLink, &entry::BELOW_RESOLVED_LINK, |seen| {
        format!("lies below a symbolic link{}", other(seen, ":"))
    }),
    (Oddity::BelowFile, &entry::BELOW_FILE, |seen| {
        format!("lies below something that is no directory{}", other(seen, ":"))
    }),
    (Oddity::ParentAfterChild, &entry::PARENT_AFTER_CHILD, |seen| {
        format!("comes after what is in it{}", other(seen, ":"))
    }),
    (Oddity::WhiteoutOfOwnPath, &whiteout::HIDES_OWN_PATH, |seen| {
        format!("hides a path of the same layer{}", other(seen, ":"))
    }),
    (Oddity::WhiteoutBelowWhiteout, &whiteout::BELOW_WHITEOUT, |seen| {
        format!("is a whiteout below what its own layer whites out{}", other(seen, ":"))
    }),
    (Oddity::WhiteoutBelowFile, &whiteout::BELOW_FILE, |seen| {
        format!("is a whiteout below something that is no directory{}", other(seen, ":"))
    }),
    (Oddity::RedundantWhiteout, &whiteout::REDUNDANT, |_| "stands beside an opaque whiteout".into()),
    (Oddity::CaseCollision, &entry::CASE_COLLISION, |seen| {
        format!("differs in letter case or Unicode form only from{}", other(seen, ""))
    }),
    (Oddity::HardLinkToDirectory, &entry::HARD_LINK_TO_DIRECTORY, |seen| {
        format!("is a hard link to a directory{}", target(seen, ", "))
    }),
    (Oddity::HardLinkTargetMissing, &entry::HARD_LINK_TARGET_MISSING, |seen| {
        format!("is a hard link to what is neither before it nor in a lower layer{}", target(seen, ": "))
    }),
    (Oddity::HardLinkThroughLink, &entry::HARD_LINK_THROUGH_LINK, |seen| {
        format!("is a hard link whose target lies below a symbolic link{}", target(seen, ": "))
    }),
    (Oddity::HardLinkToLower, &entry::HARD_LINK_TO_LOWER, |seen| {
        format!("is a hard link to a file of a lower layer{}", target(seen, ", "))
    }),
    (Oddity::ParentMissing, &entry::PARENT_MISSING, |seen| {
        format!("lies in {}, a directory that neither its layer nor a lower one has", text(seen))
    }),
    (Oddity::BelowLowerFile, &entry::BELOW_FILE, |seen| {
        format!("lies below {}, which is no directory in a lower layer", text(seen))
    }),
    (Oddity::BelowLowerLink, &entry::BELOW_LOWER_LINK, |seen| {
        format!("lies below {}, a symbolic link of a lower layer", text(seen))
    }),
    (Oddity::BelowLowerEscapingLink, &entry::BELOW_ESCAPING_LINK, |seen| {
        format!("lies below {}, a symbolic link of a lower layer that climbs above the root", text(seen))
    }),
    (Oddity::NotJudged, &entry::NOT_JUDGED, |seen| match &seen.detail {
        Detail::Text(why) if seen.path.is_empty() => format!("could not be judged: {why}"),
        Detail::Text(why) => format!("was not judged: {why}"),
        _ => "was not judged".into(),
    }),
    (Oddity::UselessWhiteout, &whiteout::HIDES_NOTHING, |_| "hides what no lower layer has".into()),
    (Oddity::WhiteoutBeforeDirectory, &whiteout::BEFORE_DIRECTORY, |_| {
        "is a whiteout before a directory of the same path, which a lower layer has, too".into()
    }),
    (Oddity::WhiteoutBelowRemoved, &whiteout::BELOW_REMOVED, |seen| {
        format!("is a whiteout below {}, which a lower layer took away", text(seen))
    }),
    (Oddity::WhiteoutBelowLowerFile, &whiteout::BELOW_FILE, |seen| {
        format!("is a whiteout below {}, which is no directory in a lower layer", text(seen))
    }),
    (Oddity::WhiteoutBelowLowerLink, &whiteout::BELOW_LOWER_LINK, |seen| {
        format!("is a whiteout below {}, a symbolic link of a lower layer", text(seen))
    }),
    (Oddity::WhiteoutInBase, &whiteout::IN_BASE_LAYER, |_| "is a whiteout in the lowest layer".into()),
];

/// Findings about the entries of a layer.
pub fn layer(facts: &LayerFacts, which: impl Into<Which>, member: MemberId, out: &mut Vec<Finding>) {
    odd(&facts.odd, which, member, out);
}

/// Findings about a layer, or about it on those below it.
pub fn odd(odd: &Oddities, which: impl Into<Which>, member: MemberId, out: &mut Vec<Finding>) {
    let which = which.into();
    if odd.is_empty() {
        return;
    }
    for (oddity, rule, say) in MEANINGS {
        if let Some(seen) = odd.of(*oddity) {
            found(rule, *say, seen, which, member, out);
        }
    }
}

/// Findings about a layer's root and the operating system of its image.
pub fn roots(facts: &LayerFacts, i: usize, os: Option<&str>, member: MemberId, out: &mut Vec<Finding>) {
    let (at, roots) = (Location::member(member), facts.roots);
    match os {
        Some("windows") if roots.other => {
            let message =
                format!("layer {i} of a Windows image has more at its root than Files, Hives and UtilityVM");
            out.push(Finding::new(&entry::WINDOWS_ROOT, at, message));
        }
        Some("windows") => {}
        _ if roots.windows && !roots.other => {
            let os = os.unwrap_or("no operating system");
            let message = format!("layer {i} is one of Windows, the config says {os}");
            out.push(Finding::new(&entry::WINDOWS_LAYER, at, message));
        }
        _ => {}
    }
}

/// What is worth no more than a note is told once for each layer, with its places; all else for each entry.
fn found(rule: &'static Rule, say: Say, seen: &Seen, which: Which, member: MemberId, out: &mut Vec<Finding>) {
    let sentence = |evidence: &Evidence| {
        let what = say(evidence);
        if evidence.path.is_empty() {
            match what.strip_prefix("is not a tar") {
                Some(rest) => format!("{which} is not a tar{rest}"),
                None => format!("the tar of {which} {what}"),
            }
        } else {
            format!("`{}` in {which} {what}", evidence.path)
        }
    };
    // Without a path it is a place in the tar itself.
    let place = |evidence: &Evidence| {
        let at = At::entry(evidence.path.clone(), evidence.offset);
        Location { member: Some(member), at }
    };
    let more = seen.total - seen.first.len() as u64;
    let Some((first, rest)) = seen.first.split_first() else { return };
    if rule.level == Level::Note {
        let mut message = sentence(first);
        let others = rest.len() as u64 + more;
        if others > 0 {
            message.push_str(&format!("; so it is with {others} more"));
        }
        let mut finding = Finding::new(rule, place(first), message);
        // One entry can have the same fault several times, as below two directories that are missing.
        let mut told = vec![place(first)];
        finding.omitted = more;
        for evidence in rest {
            let place = place(evidence);
            if !told.contains(&place) {
                finding = finding.related(place.clone(), "here too");
                told.push(place);
            }
        }
        out.push(finding);
        return;
    }
    out.extend(seen.first.iter().map(|evidence| {
        let finding = Finding::new(rule, place(evidence), sentence(evidence));
        match &evidence.detail {
            Detail::Other { offset, path } if !path.is_empty() => {
                let at = At::entry(path.clone(), *offset);
                finding.related(Location { member: Some(member), at }, "the other entry")
            }
            _ => finding,
        }
    }));
    out.last_mut().into_iter().for_each(|last| last.omit(more));
}

fn words(seen: &Evidence) -> String {
    match seen.detail {
        Detail::Tar(kind) => in_words(kind),
        _ => String::new(),
    }
}

fn bytes(seen: &Evidence) -> String {
    match seen.detail {
        Detail::Size(1) => "1 byte".into(),
        Detail::Size(size) => format!("{size} bytes"),
        _ => "bytes".into(),
    }
}

fn number(seen: &Evidence) -> i64 {
    match seen.detail {
        Detail::Number(number) => number,
        _ => 0,
    }
}

fn text(seen: &Evidence) -> String {
    match &seen.detail {
        Detail::Text(text) => format!("`{text}`"),
        _ => String::new(),
    }
}

fn target(seen: &Evidence, before: &str) -> String {
    match &seen.detail {
        Detail::Text(text) => format!("{before}`{text}`"),
        _ => String::new(),
    }
}

fn other(seen: &Evidence, before: &str) -> String {
    match &seen.detail {
        Detail::Other { path, offset } if path.is_empty() || before == ", first at" => {
            format!("{before} offset {offset}")
        }
        Detail::Other { path, .. } => format!("{before} `{path}`"),
        _ => String::new(),
    }
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;

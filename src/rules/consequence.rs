//! A cause suppresses its consequences (law 7): those that only show once all is found.

use std::collections::HashSet;

use super::{archive, blob, descriptor, document, image, legacy, shape, storage};
use crate::finding::{Finding, Rule};
use crate::location::{At, Location};

/// In one and the same member: what is not the document that was meant need not be one; what a document lacks cannot
/// fit the rest of it.
const IN_MEMBER: &[(&Rule, &[&Rule])] = &[
    (&blob::DIGEST_MISMATCH, &[&document::SYNTAX, &document::INVALID_UTF8]),
    (&image::CONFIG_NAME, &[&document::SYNTAX, &document::INVALID_UTF8]),
    (&shape::SCHEMA1_MEMBER_MISSING, &[&legacy::SCHEMA1_UNPAIRED, &legacy::SCHEMA1_BAD_SIGNATURES]),
];

/// At one and the same place: a tag of a manifest that is not there; a type that is none.
const AT_PLACE: &[(&Rule, &[&Rule])] = &[
    (&blob::MISSING, &[&archive::MISSING_REVISION, &storage::TAG_NOT_IN_INDEX]),
    (&descriptor::BAD_MEDIA_TYPE, &[&document::TYPE_MISMATCH]),
];

/// Leaves out what follows from other findings.
pub fn suppress(out: &mut Vec<Finding>) {
    let mut members = HashSet::new();
    let mut places: HashSet<(&str, Location)> = HashSet::new();
    // Where one name is two images, each half lacks the image of the other.
    let mut halves: HashSet<Location> = HashSet::new();
    for finding in out.iter() {
        let at = &finding.primary.location;
        if let (Some(consequences), Some(member)) = (of(IN_MEMBER, finding.rule), at.member) {
            members.extend(consequences.iter().map(|rule| (rule.name, member)));
        }
        if let Some(consequences) = of(AT_PLACE, finding.rule) {
            places.extend(consequences.iter().map(|rule| (rule.name, at.clone())));
        }
        if finding.rule.name == archive::HALVES_DISAGREE.name {
            halves.extend(around(at));
            halves.extend(finding.related.iter().flat_map(|label| around(&label.location)));
        }
    }
    out.retain(|finding| {
        let at = &finding.primary.location;
        let name = finding.rule.name;
        let lacking = name == archive::HALF_INCOMPLETE.name && halves.contains(at);
        !lacking
            && !at.member.is_some_and(|member| members.contains(&(name, member)))
            && !places.contains(&(name, at.clone()))
    });
}

fn of<'r>(list: &'r [(&Rule, &'r [&'r Rule])], rule: &Rule) -> Option<&'r [&'r Rule]> {
    list.iter().find(|(cause, _)| cause.name == rule.name).map(|(_, consequences)| *consequences)
}

/// A place and those that it is inside of.
fn around(place: &Location) -> Vec<Location> {
    let At::Pointer(pointer) = &place.at else { return vec![place.clone()] };
    let ends = pointer.match_indices('/').map(|(i, _)| i).chain([pointer.len()]);
    ends.map(|end| Location { member: place.member, at: At::Pointer(pointer[..end].to_owned()) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::MemberId;
    use crate::rules::fixture::names;

    fn at(member: u32, pointer: &str) -> Location {
        Location::pointer(MemberId(member), pointer)
    }

    fn left(found: &[(&'static Rule, Location)]) -> Vec<&'static str> {
        let mut out: Vec<Finding> =
            found.iter().map(|(rule, at)| Finding::new(rule, at.clone(), "")).collect();
        suppress(&mut out);
        names(&out)
    }

    #[test]
    fn what_follows_in_one_member() {
        let cause = (&blob::DIGEST_MISMATCH, at(1, ""));
        assert_eq!(left(&[(&document::SYNTAX, at(1, "")), cause.clone()]), ["blob/digest-mismatch"]);
        let other = [(&document::SYNTAX, at(2, "")), cause];
        assert_eq!(left(&other), ["json/syntax", "blob/digest-mismatch"]);
    }

    #[test]
    fn what_follows_at_one_place() {
        let cause = (&blob::MISSING, at(1, "/a"));
        assert_eq!(left(&[cause.clone(), (&storage::TAG_NOT_IN_INDEX, at(1, "/a"))]), ["blob/missing"]);
        let broken = (&descriptor::BAD_MEDIA_TYPE, at(1, "/c"));
        assert_eq!(left(&[broken, (&document::TYPE_MISMATCH, at(1, "/c"))]), ["descriptor/bad-media-type"]);
        let other = [cause, (&storage::TAG_NOT_IN_INDEX, at(1, "/b"))];
        assert_eq!(left(&other), ["blob/missing", "storage/tag-not-in-index"]);
    }

    #[test]
    fn halves_that_name_different_images() {
        let cause = (&archive::HALVES_DISAGREE, at(1, "/0/RepoTags/0"));
        assert_eq!(
            left(&[(&archive::HALF_INCOMPLETE, at(1, "/0")), cause.clone()]),
            ["archive/halves-disagree"]
        );
        assert_eq!(left(&[(&archive::HALF_INCOMPLETE, at(1, "/1")), cause]).len(), 2);
    }
}

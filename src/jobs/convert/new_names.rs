//! Names are judged as they will be: those of the images that were chosen, unless others are given.

use std::collections::HashSet;

use crate::finding::Finding;
use crate::form::HeldNames;
use crate::jobs::convert::request::Request;
use crate::location::Location;
use crate::model::{Archive, select};
use crate::rules::reach;

/// Leaves out what is said of names that a conversion does not take over: those of images that are not chosen, and all of
/// them where `--tag` or the destination gives another.
pub(super) fn retain(archive: &Archive, request: &Request, findings: &mut Vec<Finding>) {
    if replaced(request) {
        findings.retain(|finding| finding.rule.family() != "name");
        return;
    }
    if request.images.is_empty() && request.platforms.is_empty() {
        return;
    }
    let chosen = select::roots(archive, &request.images)
        .and_then(|chosen| select::platforms(archive, chosen, &request.platforms, request.sparse));
    // That there is no such image is said by the plan.
    let Ok((chosen, _)) = chosen else { return };
    let roots: HashSet<&Location> = chosen.iter().map(|chosen| &chosen.root.at).collect();
    reach::retain_names(archive, &roots, findings);
}

/// Whether the one image that is converted gets a name from the command line.
fn replaced(request: &Request) -> bool {
    let by_place = matches!(request.target.can().names, HeldNames::Full | HeldNames::Any);
    !request.tags.is_empty() || by_place && request.destination_name.is_some()
}

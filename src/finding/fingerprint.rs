//! What tells a finding from others.

use std::ffi::OsStr;

use bstr::ByteSlice;

use super::{Finding, Locator};
use crate::digest::Digest;

/// What tells a finding from others, whatever else changes: rule, name of the archive's file, member, and place in it.
/// 32 hexadecimal digits; equal faults at one place have one.
pub fn fingerprint<'a>(file: Option<&OsStr>, finding: &'a Finding, locator: &Locator<'a>) -> String {
    let location = &finding.primary.location;
    let place = locator.place(location);
    let member = location.member.map_or(&b""[..], |_| place.name.as_bytes());
    let parts = [
        finding.rule.name.as_bytes(),
        file.map_or(&b""[..], OsStr::as_encoded_bytes),
        member,
        place.pointer.unwrap_or_default().as_bytes(),
        place.entry.map_or(&b""[..], |entry| entry.as_bytes()),
    ];
    Digest::sha256(&parts.join(&0)).encoded().get(..32).unwrap_or_default().to_owned()
}

//! What the command alone takes: it draws reports for people itself.

pub(crate) use super::inspect::{inspect_for, raw_for};
#[cfg(feature = "scrub")]
pub(crate) use super::outgoing::Outgoing;
#[cfg(feature = "scrub")]
pub(crate) use super::page::picture_told;
pub(crate) use super::page::{Looked, changes, file_digest, picture};
pub(crate) use super::report::{draw, images, render};
#[cfg(feature = "serve")]
pub(crate) use super::serve::named;
pub(crate) use crate::finding::counted;
pub(crate) use crate::form::apart::{Used, replaces};
pub(crate) use crate::jobs::inspect::tree::Look;
pub(crate) use crate::page::{Page, Proof, Style as PageStyle, write as write_page};
pub(crate) use crate::render::human::{self, HumanOptions, Verdict};
pub(crate) use crate::rules::baseline::Baseline;
pub(crate) use crate::rules::policy::{PROFILES, unknown as unknown_rule};
pub(crate) use crate::staging::fresh_name;

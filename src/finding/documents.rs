//! What is asked about the archive that findings are about.

use std::borrow::Cow;

use bstr::BStr;

use crate::json::Json;
use crate::location::MemberId;

/// What renderers ask about the archive that findings are about.
pub trait Documents {
    /// The member's name as the archive writes it, not escaped.
    fn name(&self, member: MemberId) -> Cow<'_, BStr>;
    /// The member's text, if it is a document that was kept in memory.
    fn text(&self, member: MemberId) -> Option<Document<'_>>;
    /// SOURCE as it was typed.
    fn place(&self) -> &str;
}

/// A JSON document, or what should have been one.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The exact bytes.
    pub text: &'a [u8],
    /// What they hold; `None` if they do not parse.
    pub json: Option<&'a Json>,
}

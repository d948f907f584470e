//! The documents of an archive as findings point into them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;

use bstr::{BStr, ByteSlice};

use crate::finding::{Document, Documents};
use crate::location::MemberId;
use crate::model::{self, Archive, DocId};
use crate::source::Member;

/// Documents of an archive as reports see them.
pub struct ArchiveDocuments<'a> {
    archive: &'a Archive,
    by_member: HashMap<MemberId, usize>,
    /// Those that somebody looks at: renderers come back to them.
    held: Vec<OnceCell<Box<model::Document>>>,
}

impl<'a> ArchiveDocuments<'a> {
    /// Of this archive.
    pub fn of(archive: &'a Archive) -> Self {
        let by_member =
            archive.documents.iter().enumerate().map(|(i, document)| (document.member, i)).collect();
        let held = archive.documents.iter().map(|_| OnceCell::new()).collect();
        ArchiveDocuments { archive, by_member, held }
    }
}

impl Documents for ArchiveDocuments<'_> {
    fn name(&self, member: MemberId) -> Cow<'_, BStr> {
        let found = self.archive.tree.members.get(member.0 as usize);
        found.map_or(Cow::Borrowed(b"?".as_bstr()), Member::name)
    }

    fn text(&self, member: MemberId) -> Option<Document<'_>> {
        let id = *self.by_member.get(&member)?;
        let document = self.held.get(id)?.get_or_init(|| Box::new(self.archive.document(DocId(id as u32))));
        Some(Document { text: &document.bytes, json: document.json.as_ref().ok() })
    }

    fn place(&self) -> &str {
        &self.archive.tree.place
    }
}

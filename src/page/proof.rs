//! What was looked at, and what that proves.

/// How much of a source was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Every blob was read, layers decompressed and looked into, and all of it judged.
    All,
    /// Blobs were hashed as they are stored, layers not decompressed.
    Digests,
    /// Blobs were read, or the store computed their digests and their first bytes were looked at.
    Store,
    /// Blobs were read on their way into a conversion.
    Carried,
    /// Layers were read to see what they change; nothing was judged.
    Looked,
    /// Documents alone were read; nothing was judged.
    Documents,
}

impl Proof {
    /// Whether somebody asked if it is sound.
    pub(super) fn judges(self) -> bool {
        matches!(self, Proof::All | Proof::Digests | Proof::Store | Proof::Carried)
    }

    /// Whether layers were looked into.
    pub(super) fn looks_inside(self) -> bool {
        matches!(self, Proof::All | Proof::Looked)
    }

    /// What holds if nothing else is said on the page.
    pub(super) fn proved(self) -> &'static str {
        match self {
            Proof::All => {
                "Every blob was read once. Each digest, size and diff ID that no finding names was worked out anew from the \
                 bytes and is as the documents say; layers were decompressed, and their tars looked into, alone and upon each \
                 other."
            }
            Proof::Digests => {
                "Each digest and size that no finding names is as the documents say. Layers were not decompressed: their diff \
                 IDs and what is in them are not known. Of a registry, layers were not read either: it says that it has them."
            }
            Proof::Store => {
                "Each digest and size that no finding names is as the documents say. Those of some blobs were computed by the store \
                 and not from bytes that were read here: their diff IDs and what is in them are not known."
            }
            Proof::Carried => {
                "Every blob that was taken along was read once on its way. Each digest, size and diff ID that no finding names \
                 is as the documents say; what was made anew was worked out from the bytes. What is in layers is judged \
                 with --check only."
            }
            Proof::Looked => {
                "Nothing was judged. Layers were read to see what each adds, replaces and hides; names, digests, sizes and \
                 commands are what the documents say."
            }
            Proof::Documents => {
                "Nothing was judged, and no layer was read: names, digests, sizes and commands are what the documents say."
            }
        }
    }

    /// What does not follow from it, whatever was looked at.
    pub(super) fn open(self) -> &'static str {
        match self {
            Proof::All | Proof::Digests | Proof::Store | Proof::Carried => {
                "Not judged: what programs in the image do, whether the commands in its history are those that made it, and \
                 whether those who signed it are to be trusted."
            }
            Proof::Looked | Proof::Documents => {
                "`restow check` proves digests, sizes and diff IDs from the bytes."
            }
        }
    }
}

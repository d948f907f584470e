//! The names of members, which take most of the memory of a list. Storage and layouts call files by digests: sixty-four hex
//! digits are kept as the thirty-two bytes that they are, and what stands before them once for all that share it. The name of
//! a directory is the beginning of the name of something in it, and shares its bytes.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use data_encoding::HEXLOWER;

/// What names share. A thin pointer: there are hundreds of thousands.
type Shared = Arc<Beginning>;

/// Bytes, and what stands behind the digest in the names that begin with them.
#[derive(PartialEq, Eq)]
struct Beginning {
    text: Box<[u8]>,
    behind: Behind,
}

/// The name of a member.
#[derive(Clone)]
pub struct MemberName(Kept);

#[derive(Clone)]
enum Kept {
    /// The beginning of shared bytes.
    Text { text: Shared, len: u32 },
    /// A name that holds a digest, or the beginning of one that does not reach into it.
    Digest { before: Shared, digits: [u8; 32] },
}

/// What stands behind a digest in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// A blob of registry storage.
    Data,
    /// A link of registry storage.
    Link,
    /// A config of a docker-archive.
    Json,
    /// A layer of one.
    Tar,
    /// The parts of a v1 image.
    V1Layer,
    V1Json,
    V1Version,
}

const BEHIND: [(Behind, &[u8]); 8] = [
    (Behind::Data, b"/data"),
    (Behind::Link, b"/link"),
    (Behind::Json, b".json"),
    (Behind::Tar, b".tar"),
    (Behind::V1Layer, b"/layer.tar"),
    (Behind::V1Json, b"/json"),
    (Behind::V1Version, b"/VERSION"),
    (Behind::Nothing, b""),
];

/// Hex digits of a SHA-256 digest.
const DIGITS: usize = 64;

/// The parts of a name, one behind the other. Digits are written into the second place first.
type Parts<'n> = [&'n [u8]; 3];

impl MemberName {
    /// The name. What holds no digest is borrowed.
    pub fn text(&self) -> Cow<'_, BStr> {
        match &self.0 {
            Kept::Text { text, len } => Cow::Borrowed(begin(text, *len).as_bstr()),
            Kept::Digest { .. } => {
                let mut digits = [0; DIGITS];
                Cow::Owned(BString::from(self.parts(&mut digits).concat()))
            }
        }
    }

    /// Bytes of the name.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Text { len, .. } => *len as usize,
            Kept::Digest { before, .. } => before.text.len() + DIGITS + before.behind.text().len(),
        }
    }

    /// Whether it is empty, as that of a root is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it begins so.
    pub fn starts_with(&self, prefix: &[u8]) -> bool {
        match &self.0 {
            Kept::Text { text, len } => return begin(text, *len).starts_with(prefix),
            Kept::Digest { before, .. } if prefix.len() <= before.text.len() => {
                return before.text.starts_with(prefix);
            }
            Kept::Digest { .. } => {}
        }
        let mut digits = [0; DIGITS];
        let mut rest = prefix;
        for part in self.parts(&mut digits) {
            let same = rest.len().min(part.len());
            if part[..same] != rest[..same] {
                return false;
            }
            rest = &rest[same..];
        }
        rest.is_empty()
    }

    /// How it stands to another in the order of names, which is that of their bytes.
    pub fn cmp_text(&self, other: &[u8]) -> Ordering {
        match &self.0 {
            Kept::Text { text, len } => begin(text, *len).cmp(other),
            Kept::Digest { before, digits } => {
                let (before, behind) = (&before.text, before.behind);
                // Most differ in what stands before the digest, which need not be written out then.
                let same = before.len().min(other.len());
                before[..same].cmp(&other[..same]).then_with(|| {
                    let Some(rest) = other.get(before.len()..) else { return Ordering::Greater };
                    digits_against(digits, rest).then_with(|| match rest.get(DIGITS..) {
                        Some(rest) => behind.text().cmp(rest),
                        None => Ordering::Greater,
                    })
                })
            }
        }
    }

    /// The same name as one in a list of its kind, whose beginning it shares where it is that of `last`.
    pub(super) fn beside(text: &[u8], last: Option<&MemberName>) -> MemberName {
        let found = BEHIND.into_iter().find_map(|(behind, end)| {
            let (before, digits) = text.strip_suffix(end)?.split_last_chunk::<DIGITS>()?;
            // Upper-case digits are another name.
            let mut bytes = [0; 32];
            HEXLOWER.decode_mut(digits, &mut bytes).ok()?;
            Some((before, bytes, behind))
        });
        let Some((before, digits, behind)) = found else { return MemberName::from(text) };
        let before = match last.map(|last| &last.0) {
            Some(Kept::Digest { before: known, .. }) if *known.text == *before && known.behind == behind => {
                Arc::clone(known)
            }
            _ => Arc::new(Beginning { text: before.into(), behind }),
        };
        MemberName(Kept::Digest { before, digits })
    }

    /// Shares the bytes of a name that begins with this one, if that is the name of something in a directory of this name.
    pub(super) fn share(&mut self, below: &MemberName) {
        let Kept::Text { text, len } = &mut self.0 else { return };
        let (Kept::Text { text: known, .. } | Kept::Digest { before: known, .. }) = &below.0;
        let own = begin(text, *len);
        if known.text.get(own.len()) == Some(&b'/') && known.text.starts_with(own) {
            *text = Arc::clone(known);
        }
    }

    fn parts<'n>(&'n self, into: &'n mut [u8; DIGITS]) -> Parts<'n> {
        match &self.0 {
            Kept::Text { text, len } => [begin(text, *len), b"", b""],
            Kept::Digest { before, digits } => {
                HEXLOWER.encode_mut(digits, into);
                [&before.text, into, before.behind.text()]
            }
        }
    }
}

/// How the digits of these bytes stand to as much of a text: the first that differs tells, and mostly that is the very first.
fn digits_against(bytes: &[u8; 32], text: &[u8]) -> Ordering {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let shown = digits.map(|half| half + if half < 10 { b'0' } else { b'a' - 10 });
    shown.zip(text).map(|(own, other)| own.cmp(other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The beginning of shared bytes.
fn begin(text: &Shared, len: u32) -> &[u8] {
    text.text.get(..len as usize).unwrap_or_default()
}

impl Behind {
    fn text(self) -> &'static [u8] {
        BEHIND.into_iter().find(|(own, _)| *own == self).map_or(b"", |(_, text)| text)
    }
}

impl From<&[u8]> for MemberName {
    fn from(text: &[u8]) -> MemberName {
        // Longer ones no limit on members or headers lets through.
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let text = Beginning { text: text.into(), behind: Behind::Nothing };
        MemberName(Kept::Text { text: Arc::new(text), len })
    }
}

impl From<&str> for MemberName {
    fn from(text: &str) -> MemberName {
        MemberName::from(text.as_bytes())
    }
}

impl From<String> for MemberName {
    fn from(text: String) -> MemberName {
        MemberName::from(text.as_bytes())
    }
}

impl PartialEq for MemberName {
    fn eq(&self, other: &MemberName) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for MemberName {}

impl PartialOrd for MemberName {
    fn partial_cmp(&self, other: &MemberName) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MemberName {
    fn cmp(&self, other: &MemberName) -> Ordering {
        match (&self.0, &other.0) {
            (_, Kept::Text { text, len }) => self.cmp_text(begin(text, *len)),
            (Kept::Text { text, len }, _) => other.cmp_text(begin(text, *len)).reverse(),
            (Kept::Digest { before: a, digits: own }, Kept::Digest { before: b, digits })
                if Arc::ptr_eq(a, b) || a.text == b.text =>
            {
                // Hex digits stand in the order of what they mean.
                own.cmp(digits).then_with(|| a.behind.text().cmp(b.behind.text()))
            }
            (Kept::Digest { before: a, .. }, Kept::Digest { before: b, .. }) => {
                let same = a.text.len().min(b.text.len());
                a.text[..same].cmp(&b.text[..same]).then_with(|| self.cmp_text(&other.text()))
            }
        }
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.text(), f)
    }
}

impl fmt::Debug for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn text_of(name: &MemberName) -> Option<&Shared> {
        match &name.0 {
            Kept::Text { text, .. } => Some(text),
            Kept::Digest { .. } => None,
        }
    }

    #[test]
    fn a_directory_shares_the_name_of_what_is_in_it() {
        let name = |text: &str| MemberName::from(text.as_bytes());
        let file = name("a/b/c");
        for (text, shared) in
            [("a", true), ("a/b", true), ("a/b/c", false), ("", false), ("a/", false), ("b", false)]
        {
            let mut directory = name(text);
            directory.share(&file);
            assert_eq!(
                text_of(&directory).is_some_and(|own| Arc::ptr_eq(own, text_of(&file).expect("a text"))),
                shared,
                "{text}"
            );
            assert_eq!((&**directory.text(), directory.to_string().as_str()), (text.as_bytes(), text));
        }
        let blob = MemberName::beside(format!("a/sha256/{HEX}/data").as_bytes(), None);
        let mut directory = name("a/sha256");
        directory.share(&blob);
        assert_eq!(text_of(&directory).map(|own| own.text.len()), Some("a/sha256/".len()));
        assert_eq!(directory.to_string(), "a/sha256");
        assert!(name("a") < name("a/b") && name("a-b") < name("a/b"));
    }

    #[test]
    fn names_are_what_they_were_however_they_are_kept() {
        let upper = HEX.to_uppercase();
        let texts = [
            String::new(),
            HEX.to_owned(),
            format!("blobs/sha256/{HEX}"),
            format!("blobs/sha256/{HEX}/data"),
            format!("blobs/sha256/{HEX}/data2"),
            format!("blobs/sha256/{HEX}/link"),
            format!("blobs/sha256/{HEX}0"),
            format!("blobs/sha256/{upper}"),
            format!("blobs/sha256/{}", &HEX[1..]),
            format!("blobs/sha256/{}/link", HEX.replace('0', "1")),
            "blobs/sha256".to_owned(),
            "blobs/sha256-".to_owned(),
            format!("blobs/{HEX}/data"),
            format!("{HEX}.json"),
            format!("{HEX}.json.tar"),
            format!("{HEX}.tar"),
            format!("{HEX}/VERSION"),
            format!("{HEX}/json"),
            format!("{HEX}/layer.tar"),
            "index.json".to_owned(),
        ];
        let mut last: Option<MemberName> = None;
        for text in &texts {
            let name = MemberName::beside(text.as_bytes(), last.as_ref());
            assert_eq!((&**name.text(), name.len()), (text.as_bytes(), text.len()), "{text}");
            assert_eq!(name.is_empty(), text.is_empty());
            assert_eq!(name, MemberName::from(text.as_str()));
            for other in &texts {
                let same = MemberName::beside(other.as_bytes(), Some(&name));
                assert_eq!(name.cmp(&same), text.as_bytes().cmp(other.as_bytes()), "{text} {other}");
                assert_eq!(name.cmp_text(other.as_bytes()), text.as_bytes().cmp(other.as_bytes()));
                assert_eq!(name.starts_with(other.as_bytes()), text.starts_with(other.as_str()));
            }
            last = Some(name);
        }
    }

    #[test]
    fn a_name_with_a_digest_is_small() {
        assert!(size_of::<MemberName>() <= 40, "{}", size_of::<MemberName>());
        let first = MemberName::beside(format!("blobs/sha256/{HEX}").as_bytes(), None);
        let second =
            MemberName::beside(format!("blobs/sha256/{}", HEX.replace('1', "2")).as_bytes(), Some(&first));
        let (Kept::Digest { before: a, .. }, Kept::Digest { before: b, .. }) = (&first.0, &second.0) else {
            panic!("both hold digests")
        };
        assert!(Arc::ptr_eq(a, b));
    }
}

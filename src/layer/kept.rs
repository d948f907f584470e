//! What is kept of a layer beside its paths: a scrub writes it down, and has it judged later.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::evidence::Oddities;
use super::facts::{LayerFacts, Roots};
use super::names::Names;
use super::table::{Spool, Table};

/// A layer without its paths: all that is told of it by itself. How it lies on others its [`Trail`](super::Trail) tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Entries, global headers apart.
    pub entries: u64,
    /// What is odd, lower layers apart.
    #[serde(default, skip_serializing_if = "Oddities::is_empty")]
    pub odd: Oddities,
    /// Its directories at the root.
    #[serde(default, skip_serializing_if = "is_default")]
    pub roots: Roots,
}

fn is_default(roots: &Roots) -> bool {
    *roots == Roots::default()
}

impl From<&LayerFacts> for Kept {
    fn from(facts: &LayerFacts) -> Kept {
        Kept { entries: facts.entries, odd: facts.odd.clone(), roots: facts.roots }
    }
}

impl Kept {
    /// The facts again; nothing is known of its paths, unless it is [`laid`](super::laid) by its trail.
    pub fn facts(self, spool: &Arc<Spool>) -> LayerFacts {
        let Kept { entries, odd, roots } = self;
        let (has, asks, names) = (Table::empty(spool), Table::empty(spool), Names::empty(spool));
        LayerFacts {
            entries,
            odd,
            roots,
            contents: None,
            trail: None,
            is_laid: false,
            has,
            asks,
            names,
            spool: Arc::clone(spool),
        }
    }
}

/// Bytes of a path: a text, or a list of numbers where they are none.
pub(super) mod text {
    use bstr::{BString, ByteSlice};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub fn serialize<S: Serializer>(path: &BString, serializer: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => path.as_bytes().serialize(serializer),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BString, D::Error> {
        Ok(match Either::deserialize(deserializer)? {
            Either::Text(text) => text.into(),
            Either::Bytes(bytes) => bytes.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Detail, Evidence, Oddity};

    #[test]
    fn a_layer_comes_back_as_it_was() {
        let mut odd = Oddities::default();
        for (offset, path) in [(0, "a/b"), (512, "\u{7f}"), (1024, "c")] {
            odd.note(Oddity::Device, (offset, 0), || Evidence {
                offset,
                path: path.into(),
                detail: Detail::Text(vec![0xff, b'x'].into()),
            });
        }
        odd.note(Oddity::NoEnd, (7, 0), || Evidence { offset: 7, path: "".into(), detail: Detail::Nothing });
        let kept = Kept { entries: 3, odd, roots: Roots { windows: true, other: false } };
        let text = serde_json::to_string(&kept).expect("written");
        let back: Kept = serde_json::from_str(&text).expect("read");
        assert_eq!(back, kept);
        let spool = Arc::new(Spool::in_directory(None));
        assert_eq!(Kept::from(&back.facts(&spool)), kept);
        let none: Kept = serde_json::from_str(r#"{"entries":0}"#).expect("read");
        assert_eq!(none, Kept::default());
        assert_eq!(serde_json::to_string(&none).expect("written"), r#"{"entries":0}"#);
    }
}

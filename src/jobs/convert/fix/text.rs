//! A document with some of its values changed; all else stays byte for byte.

use crate::finding::Edit;
use crate::json::edit::Edits;
use crate::json::pointer::Index;
use crate::json::{Json, Value, write};

/// The document with these changes, made by the one editor; `None` if one of them leads nowhere.
pub(super) fn edited(text: &[u8], json: Option<&Json>, changes: &[Edit]) -> Option<Vec<u8>> {
    let mut edits = Edits::new(text);
    let index = Index::default();
    for change in changes {
        let root = || json.map(|json| &json.root);
        match change {
            Edit::Set { pointer, value } => set(&mut edits, &index, root()?, pointer, value)?,
            Edit::Remove { pointer } => remove(&mut edits, &index, root()?, pointer)?,
            Edit::Rename { pointer, name } => {
                let (key, _) = index.locate(root()?, pointer)?;
                edits.replace(key?, write::string(name));
            }
            Edit::Cut(span) if span.end <= text.len() => edits.replace(*span, ""),
            Edit::Cut(_) | Edit::Write(_) | Edit::Move(_) | Edit::Delete => return None,
        }
    }
    Some(edits.apply())
}

fn set<'a>(
    edits: &mut Edits<'_>,
    index: &Index<'a>,
    root: &'a Value,
    pointer: &str,
    value: &str,
) -> Option<()> {
    if let Some((_, old)) = index.locate(root, pointer) {
        edits.replace(old.span, value);
        return Some(());
    }
    let (parent, key) = pointer.rsplit_once('/')?;
    let (_, object) = index.locate(root, parent).filter(|(_, parent)| parent.is_object())?;
    edits.set(object, &key.replace("~1", "/").replace("~0", "~"), value);
    Some(())
}

fn remove<'a>(edits: &mut Edits<'_>, index: &Index<'a>, root: &'a Value, pointer: &str) -> Option<()> {
    let (parent, _) = pointer.rsplit_once('/')?;
    let (key, value) = index.locate(root, pointer)?;
    let container = index.locate(root, parent)?.1;
    match key {
        Some(key) => {
            let member = container.members().iter().find(|member| member.key_span == key)?;
            edits.remove_member(container, &member.key);
        }
        None => edits.remove_item(container, container.items().iter().position(|i| i.span == value.span)?),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn applied(text: &str, changes: &[Edit]) -> Option<String> {
        let json = parse(text.as_bytes(), 64).ok();
        edited(text.as_bytes(), json.as_ref(), changes).map(|out| String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn many_changes_of_one_list_go_together() {
        let remove = |at: usize| Edit::Remove { pointer: format!("/a/{at}") };
        let set = |pointer: &str, value: &str| Edit::Set { pointer: pointer.into(), value: value.into() };
        let text = "{\"a\": [1, 2, 3], \"b\": 4}";
        assert_eq!(applied(text, &[remove(0), remove(1)]).as_deref(), Some("{\"a\": [3], \"b\": 4}"));
        assert_eq!(
            applied(text, &[remove(0), set("/a/2", "7")]).as_deref(),
            Some("{\"a\": [2, 7], \"b\": 4}")
        );
        let both = [set("/c", "1"), set("/d", "2"), set("/b", "{}")];
        assert_eq!(applied(text, &both).as_deref(), Some("{\"a\": [1, 2, 3], \"b\": {},\"c\":1,\"d\":2}"));
        assert_eq!(applied(text, &[set("/x/y", "1")]), None);
        assert_eq!(
            applied("[1] x", &[Edit::Cut(crate::json::Span { start: 3, end: 5 })]).as_deref(),
            Some("[1]")
        );
    }
}

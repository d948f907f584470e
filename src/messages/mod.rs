//! What other tools print when an image is wrong, and what lies behind it: people paste the message they have
//! (`restow explain --error TEXT`) and get the rules, the check that proves the fault, and the command that mends it.
//!
//! Every message was printed by the tool that it names, for the input that it names, or is quoted from the public
//! thread that it names. `docs/errors.md` is this list as a page.

mod archive;
mod blob;
mod document;
mod message;
mod registry;
mod run;
mod words;

pub use message::{Junk, Message, Printed, Registry, Seen};

/// All messages, those about the same thing beside each other.
pub fn all() -> impl Iterator<Item = &'static Message> {
    [archive::ALL, blob::ALL, document::ALL, run::ALL, registry::ALL].into_iter().flatten()
}

/// The messages that a pasted text holds, the most particular first.
pub fn of(text: &str) -> Vec<&'static Message> {
    let text = words::plain(text);
    let fit = |message: &'static Message| {
        let best = message.patterns.iter().filter_map(|pattern| words::fit(&text, pattern)).max();
        best.map(|letters| (letters, message))
    };
    let mut found: Vec<(usize, &'static Message)> = all().filter_map(fit).collect();
    // A stable sort: equals stay in the order of the list.
    found.sort_by_key(|(letters, _)| std::cmp::Reverse(*letters));
    found.into_iter().map(|(_, message)| message).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_message_is_known_by_what_was_printed() {
        for message in all() {
            for printed in message.printed {
                let found = of(printed.words);
                let named = found.iter().take(3).any(|known| known.name == message.name);
                let names: Vec<&str> = found.iter().map(|known| known.name).collect();
                assert!(named, "{}: {} gives {names:?}", message.name, printed.words);
            }
        }
    }

    #[test]
    fn names_are_given_once_and_rules_exist() {
        let names: BTreeSet<&str> = all().map(|message| message.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(names.len() >= 60, "{} messages", names.len());
        let rules: BTreeSet<&str> = crate::rules::all().iter().map(|rule| rule.name).collect();
        for message in all() {
            assert!(!message.printed.is_empty() && !message.means.ends_with('.'), "{}", message.name);
            for rule in message.rules {
                assert!(rules.contains(rule), "{}: no rule {rule}", message.name);
            }
        }
    }

    #[test]
    fn what_nobody_prints_is_not_known() {
        assert!(of("").is_empty() && of("  *  ").is_empty());
        assert!(of("everything is fine").is_empty());
    }
}

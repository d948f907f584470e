//! What a rule reports: a finding, with labels that point at places.
//!
//! Places are symbolic (member and JSON pointer, or offset); spans, lines and columns are worked out
//! late, by a [`Locator`], which asks the archive through [`Documents`]. What would mend a fault is a [`Fix`].

mod affects;
mod agree;
mod documents;
mod fingerprint;
mod fix;
mod lines;
mod locate;
mod lowered;
mod order;
mod remedy;
mod rule;
mod words;

pub use affects::Affected;
pub use agree::{Fixing, Together, together};
pub use documents::{Document, Documents};
pub use fingerprint::fingerprint;
pub use fix::{Applicability, Change, Edit, Fix, Target, quoted};
pub use lines::{Lines, Position};
pub use locate::{Locator, Place};
pub use lowered::{By, Lower, Lowered};
pub use order::{Summary, advice, sort};
pub use remedy::{Command, Opt, Remedy};
pub(crate) use rule::rule;
pub use rule::{Integrity, Level, Rule, Tool};
pub(crate) use words::counted;

use crate::location::Location;

/// A place with what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub location: Location,
    /// What is there, such as `declared here`; may be empty.
    pub text: String,
}

/// One thing that is wrong, or worth telling, about an image archive.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule that reports it.
    pub rule: &'static Rule,
    /// How bad it is under the policy in force; as the rule says before one was asked.
    pub level: Level,
    /// One fact, lower case, names first, expected and found. Archive text in it is not yet escaped.
    pub message: String,
    /// Where it is wrong.
    pub primary: Label,
    /// Other places that explain it.
    pub related: Vec<Label>,
    /// What to do, if there is more to say than the rule's own advice.
    pub help: Option<String>,
    /// The command that does something about it here; only where nothing else that was found keeps it from doing so.
    pub command: Option<Command>,
    /// What would mend it, if that can be computed.
    pub fix: Option<Fix>,
    /// How many more places are at fault alike, which are neither named here nor in findings of their own.
    pub omitted: u64,
    /// The images and tags that reach what is wrong; `None` if it is about the archive as a whole, or nothing leads there.
    pub affects: Option<Affected>,
}

impl Finding {
    /// A finding with an unlabelled primary place.
    pub fn new(rule: &'static Rule, location: Location, message: impl Into<String>) -> Finding {
        let primary = Label { location, text: String::new() };
        Finding {
            rule,
            level: rule.level,
            message: message.into(),
            primary,
            related: Vec::new(),
            help: None,
            command: None,
            fix: None,
            omitted: 0,
            affects: None,
        }
    }

    /// Sets the text at the primary place.
    pub fn label(mut self, text: impl Into<String>) -> Finding {
        self.primary.text = text.into();
        self
    }

    /// Says that it stands for so many more which are not told; none is fine.
    pub fn omit(&mut self, more: u64) {
        if more > 0 {
            self.omitted += more;
            self.message.push_str(&format!("; so it is with {more} more"));
        }
    }

    /// Adds a related place.
    pub fn related(mut self, location: Location, text: impl Into<String>) -> Finding {
        self.related.push(Label { location, text: text.into() });
        self
    }

    /// Sets the advice.
    pub fn help(mut self, text: impl Into<String>) -> Finding {
        self.help = Some(text.into());
        self
    }
}

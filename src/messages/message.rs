//! What is known of a message.

/// A message of another tool, and what lies behind it.
#[derive(Debug)]
pub struct Message {
    /// `kebab-case`; the anchor in `docs/errors.md`.
    pub name: &'static str,
    /// Parts that a text holds in order, parted by `*`; one of the patterns must fit. Case and white space count for
    /// nothing.
    pub patterns: &'static [&'static str],
    /// Who printed it; at least one.
    pub printed: &'static [Printed],
    /// The public thread that it is quoted from, if it was not printed by a tool at hand.
    pub thread: Option<&'static str>,
    /// What is wrong, in a sentence.
    pub means: &'static str,
    /// The rules that find it; none where the image is sound and the tool was asked for what it cannot do.
    pub rules: &'static [&'static str],
    /// The command that proves it: a rule that is off unless asked for is asked for.
    pub prove: &'static str,
    /// The command that mends it: `IMAGE` is what the tool was given, `ORIGIN` the place that it came from.
    pub mend: &'static str,
    /// The input for which it is printed.
    pub seen: Seen,
}

/// A tool with its version, and its words; long digests and paths are shortened by an ellipsis.
#[derive(Debug)]
pub struct Printed {
    /// `docker 20.10.24`
    pub tool: &'static str,
    /// As printed.
    pub words: &'static str,
}

/// The input for which a tool prints a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A case of the corpus: `bad/blob/missing`.
    Case(&'static str),
    /// Something that is no image archive.
    Made(Junk),
    /// What a registry does.
    Registry(Registry),
}

/// What is taken for an archive and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Junk {
    /// A web page.
    Page,
    /// `docker export`: the file system of a container.
    Export,
}

/// What a registry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// It has the image under another tag.
    NoSuchTag,
    /// It wants a name and a password.
    Login,
    /// It speaks no TLS.
    PlainHttp,
    /// It has the image under a manifest of schema 1 alone.
    Schema1,
}

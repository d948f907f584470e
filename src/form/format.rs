//! What a form of archive is to the rest of the program: its names, how it is recognised and read, and each way of
//! writing it with what that can hold.

use std::fmt;
use std::io::Write;
use std::path::Path;

use super::sink::Sink;
use super::write::WriteOptions;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::model::{Archive, Form, Sought, Standing};
use crate::source::{Ingested, MemberName, Tree};

/// A form of archive: all that the rest of the program knows of it.
pub struct Format {
    /// The form that archives of it have.
    pub form: Form,
    /// What it is called in sentences.
    pub title: &'static str,
    /// The prefixes that people type before a place, each with what is written there.
    pub transports: &'static [(&'static str, &'static Writing)],
    /// Whether a name may stand behind the path, after a `:`.
    pub named: bool,
    /// How it is read; `None` if it stands in no files, as a registry does.
    pub reading: Option<Reading>,
}

/// How a form is read.
pub struct Reading {
    /// Whether the members are those of this form.
    pub detect: fn(&Tree) -> bool,
    /// Asked for by name, a form is read although what makes it recognisable is missing: the fault is then a finding.
    pub accepts_damaged: fn(&Tree) -> bool,
    /// What stands at a name, blobs apart.
    pub standing: fn(&str) -> Standing,
    /// Where the blob of a digest, or a manifest, belongs in a tree of this form; `None` if it has no place for it.
    pub place: fn(&Tree, &Digest, Sought) -> Option<MemberName>,
    /// Reads the graph.
    pub open: fn(Tree, Ingested, &Limits) -> Result<Archive>,
}

/// A way of writing a form.
pub struct Writing {
    /// The word for it in messages: the prefix of a destination.
    pub id: &'static str,
    /// What it can hold, and where it can go.
    pub can: Capabilities,
    /// Makes what takes blobs and documents.
    pub create: fn(Out<'_>, &WriteOptions) -> Result<Box<dyn Sink>>,
}

/// What a way of writing can do. Where it cannot, a conversion does something else, or refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It can go to a stream, such as standard output.
    pub stream: bool,
    /// It stages in a folder at the destination, which takes what is spooled of a source that is a stream.
    pub spool: bool,
    /// The names that it holds.
    pub names: HeldNames,
    /// What refers to an image can stand beside it.
    pub referrers: bool,
    /// Images that no list names can stand there.
    pub revisions: bool,
}

/// The names that a form holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldNames {
    /// None.
    No,
    /// Full references; a tag alone is none.
    Full,
    /// Any text.
    Any,
    /// Repository and tag, or the repository alone.
    Repository,
}

/// Where it is written.
pub enum Out<'a> {
    /// A file or folder that is not there yet, or is added to or replaced.
    Path(&'a Path),
    /// A stream.
    Stream(Box<dyn Write + Send>),
}

/// A prefix, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    /// As people type it.
    pub id: &'static str,
    /// The form that is read there.
    pub format: &'static Format,
    /// How it is written there.
    pub writing: &'static Writing,
}

/// A list of forms, in the order in which they are tried (docs/formats.md 0.3): the first that is recognised is taken.
#[derive(Debug, Clone, Copy)]
pub struct Forms(pub &'static [&'static Format]);

impl Transport {
    /// The name of the prefix.
    pub fn id(self) -> &'static str {
        self.id
    }

    /// Whether it means no place of this machine's file system.
    pub fn is_remote(self) -> bool {
        self.format.reading.is_none()
    }
}

impl Forms {
    /// Every prefix, in the order of the list.
    pub fn transports(self) -> impl Iterator<Item = Transport> {
        self.0.iter().flat_map(|&format| {
            format.transports.iter().map(move |&(id, writing)| Transport { id, format, writing })
        })
    }

    /// What a prefix means.
    pub fn transport(self, id: &str) -> Option<Transport> {
        self.transports().find(|transport| transport.id == id)
    }

    /// The prefixes of a kind as a sentence lists them, each with this behind it.
    pub fn listed(self, which: impl Fn(&Transport) -> bool, behind: &str) -> String {
        let ids = self.transports().filter(which).map(|transport| format!("{}{behind}", transport.id));
        match ids.collect::<Vec<_>>().as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        }
    }

    /// How archives of a form are read.
    pub fn reading(self, form: Form) -> Option<&'static Reading> {
        self.0.iter().find(|format| format.form == form)?.reading.as_ref()
    }

    /// The form that is recognised first.
    pub fn detected(self, tree: &Tree) -> Option<&'static Format> {
        let is = |format: &&Format| format.reading.as_ref().is_some_and(|reading| (reading.detect)(tree));
        self.0.iter().copied().find(is)
    }
}

impl Out<'_> {
    /// The path of a form that is a folder.
    ///
    /// # Errors
    ///
    /// It is a stream.
    pub fn path(&self, id: &str) -> Result<&Path> {
        match self {
            Out::Path(path) => Ok(path),
            Out::Stream(_) => Err(Error::refused(format!("{id}: is a folder and cannot go to a stream"))),
        }
    }
}

/// Forms are statics, and so are ways of writing: each is itself alone.
impl PartialEq for Format {
    fn eq(&self, other: &Format) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Format {}

impl PartialEq for Writing {
    fn eq(&self, other: &Writing) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Writing {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Format").field(&self.form).finish()
    }
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").field("id", &self.id).field("can", &self.can).finish_non_exhaustive()
    }
}

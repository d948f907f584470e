//! Members that are elsewhere: their bytes come when they are asked for.

use std::sync::Arc;

use bstr::BString;

use super::Tree;
use super::bytes::{Backing, Remote};
use super::members::{Member, MemberKind, Place};

impl Tree {
    /// A list of members, each with its size as far as it is known before it is read.
    pub fn of_remote(place: &str, members: Vec<(BString, u64)>, remote: Arc<dyn Remote>) -> Tree {
        let member = |(at, (name, size)): (usize, (BString, u64))| Member {
            name,
            raw_name: None,
            kind: MemberKind::File,
            size,
            header_offset: 0,
            at: Place::Remote(at),
        };
        let members = members.into_iter().enumerate().map(member).collect();
        Tree::new(place, members, Vec::new(), Backing::Remote(remote))
    }
}

//! Lists of what is in a bucket, page by page. A store decides what a page holds and which comes next, so it is seen to that
//! they come to an end.

use std::ops::ControlFlow;

use object_store::list::PaginatedListOptions;
use object_store::{ListResult, ObjectMeta};

use super::bucket::{Bucket, Object};
use super::fault::{self, Doing};
use super::{Scheme, block};
use crate::error::{Error, ErrorKind, Result};

/// Pages in a row that may hold nothing and name another one. Stores give some where much was deleted.
const EMPTY: u32 = 1_000;

/// What is between the parts of names.
const DELIMITER: &str = "/";

/// Looks whether pages come again. One of the words for what comes next is kept, a later one each time twice as many were
/// seen: so a circle is found before it was gone round three times, whatever its length, and nothing grows (Brent).
#[derive(Default)]
struct Circle {
    kept: Option<String>,
    seen: u64,
    empty: u32,
}

impl Circle {
    /// Whether the pages come to no end, by the word for the next one.
    fn is_closed(&mut self, next: &str, holds_nothing: bool) -> bool {
        self.seen += 1;
        self.empty = if holds_nothing { self.empty + 1 } else { 0 };
        if self.kept.as_deref() == Some(next) || self.empty > EMPTY {
            return true;
        }
        if self.seen.is_power_of_two() {
            self.kept = Some(next.to_owned());
        }
        false
    }
}

impl Bucket {
    /// Calls `each` with every object below a folder, in the order in which the store has them.
    ///
    /// # Errors
    ///
    /// The bucket cannot be listed, or `each` fails.
    pub fn list(&self, below: &str, each: &mut dyn FnMut(Object) -> Result<ControlFlow<()>>) -> Result<()> {
        self.pages(below, None, &mut |page| {
            for meta in page.objects {
                if each(self.object(meta))?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// The names of folders right below a folder, and the objects there, both sorted.
    ///
    /// # Errors
    ///
    /// The bucket cannot be listed.
    pub fn folder(&self, below: &str) -> Result<(Vec<String>, Vec<Object>)> {
        let (mut folders, mut objects) = (Vec::new(), Vec::new());
        self.pages(below, Some(DELIMITER), &mut |page| {
            let last = |path: &object_store::path::Path| {
                path.parts().next_back().map(|part| part.as_ref().to_owned())
            };
            folders.extend(page.common_prefixes.iter().filter_map(last));
            objects.extend(page.objects.into_iter().map(|meta: ObjectMeta| self.object(meta)));
            Ok(ControlFlow::Continue(()))
        })?;
        folders.sort();
        folders.dedup();
        objects.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((folders, objects))
    }

    /// Calls `each` with the pages of a list.
    fn pages(
        &self,
        below: &str,
        delimiter: Option<&'static str>,
        each: &mut dyn FnMut(ListResult) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let prefix = self.path(below, Doing::List)?;
        let prefix = Some(format!("{prefix}{DELIMITER}")).filter(|prefix| prefix != DELIMITER);
        let mut circle = Circle::default();
        let mut token = None;
        loop {
            let options = PaginatedListOptions {
                delimiter: delimiter.map(Into::into),
                page_token: token,
                ..PaginatedListOptions::default()
            };
            let page = block::on(self.store().list_paginated(prefix.as_deref(), options))?;
            let page = page.map_err(|error| fault::of(self.address(), below, Doing::List, error))?;
            let empty = page.result.objects.is_empty() && page.result.common_prefixes.is_empty();
            if each(page.result)?.is_break() {
                return Ok(());
            }
            token = page.page_token.filter(|token| !token.is_empty());
            match &token {
                None => return Ok(()),
                Some(next) if circle.is_closed(next, empty) => return Err(self.endless(below)),
                Some(_) => {}
            }
        }
    }

    fn endless(&self, below: &str) -> Error {
        let shown = self.address().shown(below);
        let message =
            format!("{shown}: the store's list of it comes to no end: pages come again, or hold nothing");
        let help = match self.address().scheme {
            Scheme::S3 => "check that AWS_ENDPOINT_URL is that of the store, and what lies between",
            Scheme::Gs | Scheme::Az => "check what lies between here and the store",
        };
        Error::refused_help(message, help).of(ErrorKind::Registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many words are looked at before a circle is found that begins after some; `None` if none is.
    fn found(before: u64, length: u64) -> Option<u64> {
        let mut circle = Circle::default();
        let word = |i: u64| if i < before { i } else { before + (i - before) % length };
        (0..before + 10_000).find(|i| circle.is_closed(&word(*i).to_string(), false))
    }

    #[test]
    fn circles_are_found_whatever_their_length() {
        for (before, length) in [(0, 1), (0, 2), (1, 1), (5, 3), (100, 7), (100, 1_000), (1_000, 100)] {
            let at = found(before, length).unwrap_or_else(|| panic!("{before} {length}"));
            assert!(at <= 3 * (before + length) + 2, "{before} {length}: {at}");
        }
        assert_eq!(found(10_000, 10_000), None, "no circle within them");
    }

    #[test]
    fn pages_without_content_end() {
        let mut circle = Circle::default();
        let mut words = (0..).map(|i: u32| i.to_string());
        let at = words.position(|word| circle.is_closed(&word, true)).expect("it ends");
        assert_eq!(at as u32, EMPTY);
        let mut circle = Circle::default();
        // One with content begins the count anew.
        let closed = (0..3 * EMPTY).any(|i| circle.is_closed(&i.to_string(), i % EMPTY != 0));
        assert!(!closed);
    }
}

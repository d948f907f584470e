//! The states of all parts of a storage as one: each blob and each repository is in exactly one of them.

use std::sync::Arc;

use super::key::{Key, Within};
use super::row::{Entry, Kind, Links, Meta, Row, Shard};
use super::state::{Rows, Snapshot, State};
use crate::digest::Digest;
use crate::error::{Error, Result};

/// The states of all parts, in the order of their numbers.
#[derive(Clone)]
pub struct Parts {
    parts: Arc<Vec<(State, Meta)>>,
}

impl Parts {
    /// A state that is about all of a storage, or one part of it alone.
    pub fn one(state: State, meta: Meta) -> Parts {
        Parts { parts: Arc::new(vec![(state, meta)]) }
    }

    /// The parts of a storage.
    ///
    /// # Errors
    ///
    /// One is missing, is there twice, has not ended, or is about another storage.
    pub fn of(parts: Vec<(State, Meta)>) -> Result<Parts> {
        let Some((first, meta)) = parts.first() else {
            return Err(Error::refused("no states are given"));
        };
        let told = |state: &State| state.path().display().to_string();
        let count = meta.shard.map_or(1, |shard| shard.count);
        let mut by_number: Vec<Option<&(State, Meta)>> = vec![None; count as usize];
        for part in &parts {
            let (state, own) = part;
            if (&own.form, &own.place, &own.base) != (&meta.form, &meta.place, &meta.base) {
                let message = format!(
                    "{} is about {}, and {} about {}",
                    told(first),
                    meta.place,
                    told(state),
                    own.place
                );
                return Err(Error::refused_help(message, "give the parts of one storage"));
            }
            if own.run.ended.is_none() {
                let message = format!("{} is of a run that has not ended", told(state));
                let help = "run `restow scrub` with the same --shard and --state once more, which goes on";
                return Err(Error::refused_help(message, help));
            }
            let shard = own.shard.unwrap_or(Shard { index: 0, count: 1 });
            if shard.count != count {
                let message =
                    format!("{} is of {count} parts, and {} of {}", told(first), told(state), shard.count);
                return Err(Error::refused_help(message, "give the parts of one division"));
            }
            let slot = by_number.get_mut(shard.index as usize);
            let slot = slot.ok_or_else(|| Error::refused(format!("{} is of no part", told(state))))?;
            if let Some((other, _)) = slot {
                let message = format!("{} and {} are both of part {shard}", told(other), told(state));
                return Err(Error::refused_help(message, "give each part once"));
            }
            *slot = Some(part);
        }
        let missing: Vec<String> = by_number
            .iter()
            .zip(0..)
            .filter(|(part, _)| part.is_none())
            .map(|(_, i)| format!("{i}/{count}"))
            .collect();
        if !missing.is_empty() {
            let message = format!(
                "of {count} parts {} missing: {}",
                if missing.len() == 1 { "one is" } else { "some are" },
                missing.join(", ")
            );
            return Err(Error::refused_help(message, "give the states of all parts"));
        }
        let mut parts = parts;
        parts.sort_by_key(|(_, meta)| meta.shard.map_or(0, |shard| shard.index));
        Ok(Parts { parts: Arc::new(parts) })
    }

    /// What the first says of the storage.
    pub fn meta(&self) -> &Meta {
        &self.parts[0].1
    }

    /// What each says of itself, in order.
    pub fn metas(&self) -> impl Iterator<Item = (&State, &Meta)> {
        self.parts.iter().map(|(state, meta)| (state, meta))
    }

    /// The place of the part that has something.
    fn part(&self, has: impl Fn(Shard) -> bool) -> usize {
        let of = |(_, meta): &(State, Meta)| meta.shard.is_none_or(&has);
        self.parts.iter().position(of).unwrap_or_default()
    }

    /// The states of all parts as they are now.
    ///
    /// # Errors
    ///
    /// One cannot be read.
    pub fn views(&self) -> Result<Views> {
        let views = self.parts.iter().map(|(state, _)| state.snapshot()).collect::<Result<_>>()?;
        Ok(Views { parts: self.clone(), views })
    }

    /// What a registry told of a blob in its last run.
    ///
    /// # Errors
    ///
    /// A state cannot be read.
    pub fn listed(&self, digest: &Digest) -> Result<Option<Entry>> {
        let (state, meta) = &self.parts[self.part(|shard| shard.has_blob(digest))];
        Ok(state.listed(digest)?.filter(|entry| entry.run == meta.run.number))
    }

    /// The links of a repository.
    ///
    /// # Errors
    ///
    /// A state cannot be read.
    pub fn links(&self, name: &str) -> Result<Option<Links>> {
        self.parts[self.part(|shard| shard.has_repository(name))].0.links(name)
    }

    /// The names of all repositories, sorted.
    ///
    /// # Errors
    ///
    /// A state cannot be read.
    pub fn repositories(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (state, meta) in self.parts.iter() {
            state.names(&mut |name| {
                if meta.shard.is_none_or(|shard| shard.has_repository(name)) {
                    names.push(name.to_owned());
                }
            })?;
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Every blob, in the order of keys.
    ///
    /// # Errors
    ///
    /// A state cannot be read, or `each` fails.
    pub fn blobs(&self, each: &mut dyn FnMut(&Key, Digest, Row) -> Result<()>) -> Result<()> {
        self.between(Key::first(), None, each)
    }

    /// Every blob of a layout, in the order of keys.
    ///
    /// # Errors
    ///
    /// As of [`blobs`](Parts::blobs).
    pub fn blobs_of(
        &self,
        within: &Within,
        each: &mut dyn FnMut(&Key, Digest, Row) -> Result<()>,
    ) -> Result<()> {
        let prefix = within.prefix();
        let until = prefix.behind();
        self.between(prefix, until, each)
    }

    fn between(
        &self,
        from: Key,
        until: Option<Key>,
        each: &mut dyn FnMut(&Key, Digest, Row) -> Result<()>,
    ) -> Result<()> {
        let mut parts: Vec<(Rows<'_>, Option<Shard>)> = Vec::with_capacity(self.parts.len());
        for (state, meta) in self.parts.iter() {
            parts.push((state.rows(from.clone(), until.clone()), meta.shard));
        }
        loop {
            let mut first: Option<(Key, usize)> = None;
            for (i, (rows, _)) in parts.iter_mut().enumerate() {
                let key = rows.peek()?;
                if let Some(key) = key.filter(|key| first.as_ref().is_none_or(|(first, _)| *key < first)) {
                    first = Some((key.clone(), i));
                }
            }
            let Some((_, i)) = first else { return Ok(()) };
            let (rows, shard) = &mut parts[i];
            let Some((key, row)) = rows.take()? else { return Ok(()) };
            let digest = key.digest().filter(|digest| shard.is_none_or(|shard| shard.has_blob(digest)));
            digest.map_or(Ok(()), |digest| each(&key, digest, row))?;
        }
    }

    /// Every blob where no registry looks, in the order of names.
    ///
    /// # Errors
    ///
    /// A state cannot be read.
    pub fn misplaced(&self) -> Result<Vec<(String, Row)>> {
        let mut found = Vec::new();
        for (state, _) in self.parts.iter() {
            state.misplaced(&mut |name, row| {
                found.push((name.to_owned(), row));
                Ok(())
            })?;
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }
}

/// The states of all parts at one time.
pub struct Views {
    parts: Parts,
    views: Vec<Snapshot>,
}

impl Views {
    /// What is known of a blob.
    ///
    /// # Errors
    ///
    /// A state cannot be read.
    pub fn blob(&self, within: &Within, digest: &Digest) -> Result<Option<Row>> {
        let key = within.key(digest);
        self.found(digest, |view| view.blob(&key))
    }

    /// The text of a document, if it is kept.
    ///
    /// # Errors
    ///
    /// A state cannot be read.
    pub fn text(&self, within: &Within, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let key = within.key(digest);
        self.found(digest, |view| view.text(&key))
    }

    /// A block of the paths of a layer, if it is kept.
    ///
    /// # Errors
    ///
    /// A state cannot be read.
    pub fn paths(&self, within: &Within, digest: &Digest, block: u32) -> Result<Option<Vec<u8>>> {
        let key = within.key(digest);
        self.found(digest, |view| view.paths(&key, block))
    }

    /// What a registry told of a blob in its last run.
    ///
    /// # Errors
    ///
    /// A state cannot be read.
    pub fn listed(&self, digest: &Digest) -> Result<Option<Entry>> {
        self.parts.listed(digest)
    }

    /// What the part of a digest has of it. Of a registry each part has the documents of all that it looked at, and the one
    /// of a digest may have looked before it was there.
    fn found<T>(&self, digest: &Digest, get: impl Fn(&Snapshot) -> Result<Option<T>>) -> Result<Option<T>> {
        let own = self.views.get(self.parts.part(|shard| shard.has_blob(digest)));
        if let Some(found) = own.map(&get).transpose()?.flatten() {
            return Ok(Some(found));
        }
        if self.parts.meta().kind() != Kind::Registry {
            return Ok(None);
        }
        for view in &self.views {
            if let Some(found) = get(view)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

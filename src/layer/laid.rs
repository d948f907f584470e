//! A layer laid out again from its trail, to be laid on others without being read.

use std::io;
use std::sync::Arc;

use super::facts::LayerFacts;
use super::kept::Kept;
use super::names;
use super::scan::Entries;
use super::table::Spool;
use super::trail::kind;
use crate::limits::Limits;
use crate::tar::{Entry, Format, Kind};

/// A layer that was read before, from what was kept of it and its trail: to be laid on others whose paths the same spool has.
///
/// # Errors
///
/// A block is none, or the file of the spool cannot be written.
pub fn laid(
    kept: Kept,
    blocks: impl Iterator<Item = io::Result<Vec<u8>>>,
    limits: &Limits,
    spool: &Arc<Spool>,
) -> io::Result<LayerFacts> {
    let mut entries = Entries::new(limits, spool);
    let mut path = Vec::new();
    for block in blocks {
        let block = block?;
        let (mut rest, mut at) = (&block[..], 0u64);
        path.clear();
        while !rest.is_empty() {
            let (kind, link) = next(&mut rest, &mut at, &mut path).ok_or(io::ErrorKind::InvalidData)?;
            entries.path(&bare(at, kind, &path, link))?;
        }
    }
    let (_, _, (has, asks, names)) = entries.tables()?;
    Ok(LayerFacts { has, asks, names, is_laid: true, ..kept.facts(spool) })
}

/// The next entry of a block: its kind and target; its offset and path take the place of those before.
fn next<'a>(rest: &mut &'a [u8], at: &mut u64, path: &mut Vec<u8>) -> Option<(Kind, &'a [u8])> {
    let (&kind, after) = rest.split_first()?;
    *rest = after;
    let (step, shared, own) = names::next(rest)?;
    *at = at.wrapping_add(step);
    // A state is not to be trusted.
    path.truncate(Some(shared).filter(|shared| *shared <= path.len())?);
    path.extend_from_slice(own);
    Some(match kind {
        kind::DIRECTORY => (Kind::Directory, b"".as_slice()),
        kind::SYMLINK => (Kind::Symlink, names::read_text(rest)?),
        kind::HARD_LINK => (Kind::Hardlink, names::read_text(rest)?),
        kind::OTHER => (Kind::Regular, b"".as_slice()),
        _ => return None,
    })
}

/// An entry of which no more is known.
fn bare<'a>(at: u64, kind: Kind, path: &'a [u8], link: &'a [u8]) -> Entry<'a> {
    Entry {
        header_offset: at,
        data_offset: at,
        size: 0,
        real_size: None,
        kind,
        typeflag: 0,
        format: Format::Ustar,
        path,
        link,
        mode: None,
        uid: None,
        gid: None,
        mtime: None,
        uname: b"",
        gname: b"",
        dev_major: None,
        dev_minor: None,
        pax: b"",
        anomalies: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::fixture::Tar;
    use crate::layer::stack;

    fn kept(tar: &Tar, trails: &Arc<Spool>) -> (Kept, Vec<Vec<u8>>) {
        let facts = tar.facts_in(trails, &Limits::default());
        let blocks =
            facts.trail.as_ref().expect("kept").blocks().collect::<io::Result<_>>().expect("a spool");
        (Kept::from(&facts), blocks)
    }

    /// Layers as they are read and as they are laid again say the same of each other.
    #[test]
    fn layers_are_laid_again_as_they_were() {
        let base = Tar::new()
            .file("loose/x", b"")
            .dir("etc/")
            .file("etc/a", b"a")
            .link("lib", "usr/lib")
            .file("f", b"")
            .dir("gone/")
            .file("gone/x", b"");
        let middle = Tar::new()
            .file(".wh.gone", b"")
            .file("etc/.wh..wh..opq", b"")
            .file("usr/lib/x", b"")
            .hard("h", "f");
        let top = Tar::new()
            .file("lib/below", b"")
            .file("f/below", b"")
            .file("gone/new", b"")
            .file("nowhere/.wh.x", b"")
            .file("etc/.wh.a", b"")
            .file("gone/.wh.x", b"")
            .file(".wh..", b"")
            .hard("to-lost", "gone/x")
            .hard("to-lower", "f")
            .hard("through", "lib/x");
        let plain = Arc::new(Spool::in_directory(None));
        let trails = Arc::new(Spool::in_directory(None).with_trails());
        let again = Arc::new(Spool::in_directory(None));
        let tars = [&base, &middle, &top];
        let read: Vec<LayerFacts> = tars.iter().map(|tar| tar.facts_in(&plain, &Limits::default())).collect();
        let laid: Vec<LayerFacts> = tars
            .iter()
            .map(|tar| {
                let (kept, blocks) = kept(tar, &trails);
                laid(kept, blocks.into_iter().map(Ok), &Limits::default(), &again).expect("laid")
            })
            .collect();
        let mut told = 0;
        for top in 1..=3 {
            let judge = |layers: &[LayerFacts]| {
                stack::judge(&layers[..top].iter().collect::<Vec<_>>(), &mut 1000).expect("judged")
            };
            let (read, laid) = (judge(&read), judge(&laid));
            assert_eq!(read, laid, "{top}");
            told += usize::from(!read.is_empty());
        }
        assert_eq!(told, 3);
    }

    #[test]
    fn blocks_that_are_none_are_refused() {
        let spool = Arc::new(Spool::in_directory(None));
        for block in
            [&[9, 0, 0, 0][..], &[0], &[0, 0, 1, 0], &[0, 0, 0, 5, b'x'], &[2, 0, 0, 1, b'x'], &[0xff; 40]]
        {
            let blocks = [Ok(block.to_vec())].into_iter();
            assert!(laid(Kept::default(), blocks, &Limits::default(), &spool).is_err(), "{block:?}");
        }
    }

    #[test]
    fn a_trail_of_many_blocks_is_laid() {
        let mut tar = Tar::new();
        for i in 0..20_000 {
            tar = tar.file(&format!("a-directory-of-some-length-{}/file-{i}", i % 977), b"");
        }
        let trails = Arc::new(Spool::in_directory(None).with_trails());
        let (kept, blocks) = kept(&tar, &trails);
        assert!(blocks.len() > 1, "{}", blocks.len());
        let spool = Arc::new(Spool::in_directory(None));
        let (entries, laid) =
            (kept.entries, laid(kept, blocks.into_iter().map(Ok), &Limits::default(), &spool).expect("laid"));
        let odd = stack::judge(&[&laid], &mut 1000).expect("judged");
        let missing = odd.of(crate::layer::Oddity::ParentMissing).map(|seen| seen.total);
        assert_eq!((entries, missing), (20_000, Some(977)));
    }
}

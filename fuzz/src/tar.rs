//! Tars: the same entries by seeking, by streaming and by being fed in pieces, and what other readers see.

use std::io::Read;
use std::ops::ControlFlow;

use restow::tar::{Entry, Event, Feed, Kind, Limits, Stream, index};
use tar_core::parse::{ParseEvent, Parser};

type Seen = (u64, u64, u64, Vec<u8>, Vec<u8>, u8);

fn seen(entry: &Entry<'_>) -> Seen {
    (
        entry.header_offset,
        entry.data_offset,
        entry.size,
        entry.path.to_vec(),
        entry.link.to_vec(),
        entry.typeflag,
    )
}

/// Scans in every way; compares with the crate `tar` and with tar-core where they and we find no fault.
pub fn run(data: &[u8]) {
    let limits = Limits::default();
    let mut sought = Vec::new();
    let mut sparse = false;
    let odd = index(&data, data.len() as u64, limits, &mut |entry| {
        sought.push(seen(entry));
        sparse |= matches!(entry.kind, Kind::Sparse(_));
        ControlFlow::Continue(())
    })
    .expect("memory can be read");
    let mut stream = Stream::new(data, limits);
    let mut streamed = Vec::new();
    while let Some(entry) = stream.next_entry().expect("memory can be read") {
        streamed.push(seen(&entry));
    }
    assert_eq!(sought, streamed);
    assert_eq!(odd, stream.anomalies());
    let mut feed = Feed::new(limits);
    let (mut fed, mut told) = (Vec::new(), Vec::new());
    let mut on = |event: Event<'_>| match event {
        Event::Entry(entry) => fed.push(seen(entry)),
        Event::Anomaly(anomaly) => told.push(anomaly),
        Event::Data(_) => {}
    };
    let step = data.first().map_or(1, |b| usize::from(*b) * 7 + 1);
    data.chunks(step).for_each(|chunk| feed.feed(chunk, &mut on));
    feed.finish(&mut on);
    assert_eq!(sought, fed);
    assert_eq!(odd, told);
    for (header, start, size, ..) in &sought {
        assert!(header < start && start.checked_add(*size).is_some());
    }
    // Where nothing is odd at all, other readers see the same. PAX records of a sparse file give it another name, which
    // the two others do not know (Go and GNU tar do); that is told of the member, as `archive/odd-entry`.
    if odd.is_empty() && !sparse && familiar(data) {
        compare(data, &sought);
        compare_core(data, &sought);
    }
}

/// Files, links and directories, which is what every reader knows.
fn plain(flag: u8) -> bool {
    matches!(flag, b'0' | b'1' | b'2' | b'5' | 0)
}

/// Whether every header has a magic that both other readers know. They take a prefix only with POSIX's version (Go and
/// GNU tar, like us, with any), and PAX records and GNU's names only after a magic.
fn familiar(data: &[u8]) -> bool {
    let mut archive = tar::Archive::new(data);
    let Ok(raw) = archive.entries().map(|entries| entries.raw(true)) else { return false };
    raw.flatten().all(|entry| {
        let header = entry.header();
        let old = header.as_bytes()[257..265] == [0; 8];
        let extension = matches!(header.entry_type().as_byte(), b'x' | b'g' | b'L' | b'K');
        header.as_ustar().is_some() || header.as_gnu().is_some() || (old && !extension)
    })
}

/// As tar-core sees them; what it refuses it does not judge.
fn compare_core(data: &[u8], ours: &[Seen]) {
    let limits = tar_core::parse::Limits { max_pending_entries: usize::MAX, ..Default::default() };
    let mut parser = Parser::new(limits);
    let mut rest = data;
    let mut theirs = Vec::new();
    loop {
        let skip = match parser.parse(rest) {
            Ok(ParseEvent::Entry { consumed, entry }) => {
                let link = entry.link_target.as_deref().unwrap_or_default().to_vec();
                theirs.push((entry.entry_type.to_byte(), entry.size, entry.path.to_vec(), link));
                (consumed as u64).saturating_add(entry.padded_size())
            }
            Ok(ParseEvent::GlobalExtensions { consumed, .. }) => consumed as u64,
            Ok(ParseEvent::End { .. }) => break,
            _ => return,
        };
        let Some(next) = usize::try_from(skip).ok().and_then(|skip| rest.get(skip..)) else { return };
        rest = next;
    }
    let ours: Vec<_> = ours
        .iter()
        .filter(|(.., flag)| plain(*flag))
        .map(|(_, _, size, path, link, flag)| {
            (if *flag == 0 { b'0' } else { *flag }, *size, path.clone(), link.clone())
        })
        .collect();
    theirs.retain(|(flag, ..)| plain(*flag));
    assert_eq!(ours, theirs);
}

fn compare(data: &[u8], ours: &[Seen]) {
    let mut archive = tar::Archive::new(data);
    let Ok(entries) = archive.entries() else { return };
    let mut theirs = Vec::new();
    for entry in entries {
        // Its reader refuses some fields that no entry of ours uses, such as a device number of a file.
        let Ok(mut entry) = entry else { return };
        // It cuts PAX records at new lines, not by their lengths.
        if entry
            .pax_extensions()
            .is_ok_and(|records| records.into_iter().flatten().any(|record| record.is_err()))
        {
            return;
        }
        let kind = entry.header().entry_type();
        let size = entry.size();
        let path = entry.path_bytes().into_owned();
        if entry.read_to_end(&mut Vec::new()).is_err() {
            return;
        }
        theirs.push((kind.as_byte(), size, path));
    }
    let ours: Vec<_> =
        ours.iter().filter(|(.., flag)| plain(*flag)).map(|(.., path, _, _)| path.clone()).collect();
    let theirs: Vec<_> =
        theirs.into_iter().filter(|(flag, ..)| plain(*flag)).map(|(.., path)| path).collect();
    assert_eq!(ours, theirs);
}

#[cfg(test)]
mod tests {
    #[test]
    fn archives_and_their_ruins() {
        for bytes in crate::corpus() {
            super::run(&bytes);
            super::run(&bytes[..bytes.len() * 2 / 3]);
        }
    }
}

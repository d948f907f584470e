//! The scan as a whole: each fact from a literal tar, all drivers alike, and the real archives where they are at hand.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};
use proptest::prelude::*;
use tar::{EntryType, Header};

use super::*;

/// What tests compare of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    header: u64,
    data: u64,
    size: u64,
    kind: Kind,
    path: BString,
    link: BString,
    uid: Option<i64>,
    mtime: Option<i64>,
    pax: BString,
    anomalies: Vec<Anomaly>,
}

impl Seen {
    fn new(entry: &Entry<'_>) -> Self {
        Seen {
            header: entry.header_offset,
            data: entry.data_offset,
            size: entry.size,
            kind: entry.kind,
            path: entry.path.into(),
            link: entry.link.into(),
            uid: entry.uid,
            mtime: entry.mtime,
            pax: entry.pax.into(),
            anomalies: entry.anomalies.to_vec(),
        }
    }
}

type Scan = (Vec<Seen>, Vec<Anomaly>);

fn by_index(bytes: &[u8], limits: Limits) -> Scan {
    let mut seen = Vec::new();
    let anomalies = index(&bytes, bytes.len() as u64, limits, &mut |entry| {
        seen.push(Seen::new(entry));
        ControlFlow::Continue(())
    })
    .expect("memory does not fail");
    (seen, anomalies)
}

fn by_stream(bytes: &[u8], limits: Limits, piece: usize, read_data: bool) -> Scan {
    let mut stream = Stream::new(Pieces { bytes, piece }, limits);
    let mut seen = Vec::new();
    while let Some(entry) = stream.next_entry().expect("memory does not fail") {
        let entry = Seen::new(&entry);
        if read_data && entry.kind != Kind::Global {
            let mut data = Vec::new();
            stream.data().read_to_end(&mut data).expect("memory does not fail");
            let start = bytes.len().min(entry.data as usize);
            let end = bytes.len().min((entry.data + entry.size) as usize);
            assert_eq!(data.as_bstr(), bytes[start..end].as_bstr());
        }
        seen.push(entry);
    }
    (seen, stream.anomalies().to_vec())
}

struct Pieces<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.piece.min(buf.len());
        self.bytes.read(&mut buf[..n])
    }
}

fn by_feed(bytes: &[u8], limits: Limits, piece: usize) -> Scan {
    let (mut seen, mut anomalies, mut data) = (Vec::<Seen>::new(), Vec::new(), 0);
    let mut on = |event: Event<'_>| match event {
        Event::Entry(entry) => {
            seen.push(Seen::new(entry));
            data = entry.data_offset as usize;
        }
        Event::Data(piece) => {
            assert_eq!(piece.as_bstr(), bytes[data..data + piece.len()].as_bstr());
            data += piece.len();
        }
        Event::Anomaly(anomaly) => anomalies.push(anomaly),
    };
    let mut feed = Feed::new(limits);
    for chunk in bytes.chunks(piece) {
        feed.feed(chunk, &mut on);
    }
    feed.finish(&mut on);
    (seen, anomalies)
}

/// Scans by all drivers, which must agree.
fn scan_within(bytes: &[u8], limits: Limits, piece: usize) -> Scan {
    let scan = by_index(bytes, limits);
    assert_eq!(scan, by_stream(bytes, limits, piece, false));
    assert_eq!(scan, by_stream(bytes, limits, piece, true));
    assert_eq!(scan, by_feed(bytes, limits, piece));
    scan
}

fn scan(bytes: &[u8]) -> Scan {
    scan_within(bytes, Limits::default(), 700)
}

/// A header, before its checksum is set.
fn head(format: fn() -> Header, typeflag: u8, name: &[u8], size: u64) -> Header {
    let mut header = format();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkflag = [typeflag];
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header
}

fn block(mut header: Header) -> Vec<u8> {
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A member with its data, padded.
fn member(typeflag: u8, name: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = block(head(Header::new_ustar, typeflag, name, data.len() as u64));
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

/// PAX data of such records.
fn records(pairs: &[(&str, &str)]) -> Vec<u8> {
    pairs.iter().fold(Vec::new(), |mut all, (key, value)| {
        let body = key.len() + value.len() + 3;
        let length = (body + 1..).find(|n| body + n.to_string().len() == *n).expect("some length fits");
        all.extend(format!("{length} {key}={value}\n").into_bytes());
        all
    })
}

fn pax(pairs: &[(&str, &str)]) -> Vec<u8> {
    member(b'x', b"PaxHeaders/a", &records(pairs))
}

fn ended(parts: &[&[u8]]) -> Vec<u8> {
    [&parts.concat()[..], &write::END].concat()
}

/// The facts of a tar that has one entry, by offset.
fn facts(bytes: &[u8]) -> Vec<(u64, AnomalyKind)> {
    scan(bytes).1.iter().map(|a| (a.offset, a.kind)).collect()
}

fn paths(bytes: &[u8]) -> Vec<String> {
    scan(bytes).0.iter().map(|seen| seen.path.to_string()).collect()
}

#[test]
fn ends() {
    use AnomalyKind::*;
    let a = member(b'0', b"a", b"abc");
    for (bytes, expected) in [
        (ended(&[&a]), vec![]),
        (ended(&[&a, &[0; 8192]]), vec![]),
        (vec![], vec![(0, NoEndBlocks { have: 0 })]),
        (a.clone(), vec![(1024, NoEndBlocks { have: 0 })]),
        ([&a[..], &[0; 512]].concat(), vec![(1536, NoEndBlocks { have: 1 })]),
        ([&a[..], &[0; 100]].concat(), vec![(1024, TruncatedHeader { have: 100 })]),
        (a[..100].to_vec(), vec![(0, TruncatedHeader { have: 100 })]),
        (a[..512].to_vec(), vec![(0, TruncatedData { needed: 3, have: 0 })]),
        (a[..514].to_vec(), vec![(0, TruncatedData { needed: 3, have: 2 })]),
        (a[..515].to_vec(), vec![(0, NotPadded { missing: 509 })]),
        (ended(&[&a, &[0; 512], &a]), vec![(1024, LoneZeroBlock)]),
        ([&ended(&[&a])[..], &[0; 700], b"hidden"].concat(), vec![(2748, DataAfterEnd { bytes: 6 })]),
        ([&ended(&[&a])[..], &[7; 5000]].concat(), vec![(2048, DataAfterEnd { bytes: 5000 })]),
        (
            [&ended(&[&a])[..], &[0; 512], &ended(&[&a])].concat(),
            vec![(2560, EntriesAfterEnd { bytes: 2048 })],
        ),
        (
            [&ended(&[&a])[..], &ended(&[&member(b'0', b"stargz.index.json", b"{}")])].concat(),
            vec![(2048, TocAfterEnd { bytes: 2048 })],
        ),
        (
            [&ended(&[&a])[..], &ended(&[&member(b'0', b"stargz.index.json", b"{}"), &a])].concat(),
            vec![(2048, EntriesAfterEnd { bytes: 3072 })],
        ),
        (ended(&[&pax(&[("path", "b")])]), vec![(0, DanglingExtension { extension: Extension::Pax })]),
        (
            member(b'K', b"a", b"b"),
            vec![(1024, NoEndBlocks { have: 0 }), (0, DanglingExtension { extension: Extension::LongLink })],
        ),
        (pax(&[("path", "b")])[..515].to_vec(), vec![(0, TruncatedData { needed: 9, have: 3 })]),
    ] {
        assert_eq!(facts(&bytes), expected, "{} bytes", bytes.len());
    }
}

#[test]
fn a_bad_checksum_ends_the_scan() {
    let mut bad = member(b'0', b"b", b"");
    bad[0] = b'c';
    let bytes = ended(&[&member(b'0', b"a", b"abc"), &bad, &member(b'0', b"d", b"")]);
    assert_eq!(paths(&bytes), ["a"]);
    assert_eq!(facts(&bytes), [(1024, AnomalyKind::BadChecksum { text: false })]);
}

#[test]
fn long_names() {
    let long = "long/".repeat(60);
    for (parts, path, link) in [
        (vec![pax(&[("path", &long), ("linkpath", "t")])], &long[..], "t"),
        (vec![member(b'L', b"././@LongLink", &[long.as_bytes(), b"\0"].concat())], &long, "l"),
        (vec![member(b'K', b"././@LongLink", long.as_bytes())], "a", &long),
        (vec![pax(&[("path", "")])], "a", "l"),
        (vec![member(b'L', b"././@LongLink", b"\0")], "a", "l"),
    ] {
        let mut link_entry = head(Header::new_gnu, b'2', b"a", 0);
        link_entry.as_old_mut().linkname[0] = b'l';
        let bytes = ended(&[&parts.concat(), &block(link_entry), &member(b'0', b"next", b"")]);
        let (seen, anomalies) = scan(&bytes);
        assert_eq!((seen[0].path.as_bstr(), seen[0].link.as_bstr()), (path.into(), link.into()));
        assert_eq!((seen[0].header, seen[0].data), (0, bytes.len() as u64 - 1536));
        // Nothing of it is left for the next one.
        assert_eq!(
            (seen[1].path.as_bstr(), seen[1].link.as_bstr(), seen[1].pax.len()),
            ("next".into(), "".into(), 0)
        );
        // Go takes the empty path back, GNU tar and Python take it for the name.
        let empty = anomalies.iter().all(|a| a.kind == AnomalyKind::MalformedPax { fault: PaxFault::Empty });
        assert!(empty && anomalies.len() == usize::from(parts == [pax(&[("path", "")])]), "{anomalies:?}");
    }
}

#[test]
fn prefixes() {
    let mut ustar = head(Header::new_ustar, b'0', b"name", 0);
    ustar.as_ustar_mut().expect("ustar").prefix[..3].copy_from_slice(b"pre");
    let mut gnu = head(Header::new_gnu, b'0', b"name", 0);
    gnu.as_gnu_mut().expect("gnu").atime[..3].copy_from_slice(b"012");
    // As Go before 1.8 wrote it.
    let mut old_go = head(Header::new_gnu, b'0', b"name", 0);
    old_go.as_mut_bytes()[field::PREFIX][..3].copy_from_slice(b"pre");
    let v7 = head(Header::new_old, b'0', &[b'n'; 100], 0);
    let bytes = ended(&[&block(ustar), &block(gnu), &block(old_go), &block(v7)]);
    assert_eq!(paths(&bytes), ["pre/name", "name", "pre/name", &"n".repeat(100)]);
    // Python joins all three.
    assert_eq!(facts(&bytes), [(512, AnomalyKind::ForeignPrefix), (1024, AnomalyKind::ForeignPrefix)]);
}

#[test]
fn kinds_and_sizes() {
    for (typeflag, name, kind, size, data) in [
        (0, &b"a"[..], Kind::Regular, 600, true),
        (0, b"a/", Kind::Directory, 0, false),
        (b'0', b"a/", Kind::Regular, 600, true),
        (b'1', b"a", Kind::Hardlink, 0, false),
        (b'2', b"a", Kind::Symlink, 0, false),
        (b'3', b"a", Kind::CharDevice, 0, false),
        (b'4', b"a", Kind::BlockDevice, 0, false),
        (b'5', b"a", Kind::Directory, 0, false),
        (b'6', b"a", Kind::Fifo, 0, false),
        (b'7', b"a", Kind::Unknown(b'7'), 600, true),
        (b'V', b"a", Kind::Unknown(b'V'), 600, true),
    ] {
        let head = block(head(Header::new_ustar, typeflag, name, 600));
        let data: &[u8] = if data { &[7; 1024] } else { &[] };
        let bytes = ended(&[&head, data, &member(b'0', b"b", b"")]);
        let (seen, anomalies) = scan(&bytes);
        assert_eq!((seen[0].kind, seen[0].size, &seen[1].path[..]), (kind, size, &b"b"[..]), "{typeflag}");
        let expected = match kind {
            Kind::Unknown(typeflag) => vec![AnomalyKind::UnknownType { typeflag }],
            // GNU tar makes a directory of it.
            Kind::Regular if name.ends_with(b"/") => vec![AnomalyKind::FileNamedAsDirectory],
            Kind::Regular => vec![],
            _ => vec![AnomalyKind::SizeOnNonFile { size: 600 }],
        };
        assert_eq!(anomalies.iter().map(|a| a.kind).collect::<Vec<_>>(), expected, "{typeflag}");
        assert_eq!(seen[0].anomalies, anomalies);
    }
}

#[test]
fn pax_overrides() {
    use AnomalyKind::*;
    // CVE-2025-62518: the size that counts is the one of the PAX header, or data is read as headers.
    let file = block(head(Header::new_ustar, b'0', b"a", 0));
    let inner = member(b'0', b"smuggled", b"");
    let pairs = [("size", "512"), ("uid", "-5"), ("mtime", "-1.5")];
    let bytes = ended(&[&pax(&pairs), &file, &inner, &member(b'0', b"b", b"")]);
    let (seen, _) = scan(&bytes);
    assert_eq!(paths(&bytes), ["a", "b"]);
    assert_eq!((seen[0].size, seen[0].uid, seen[0].mtime), (512, Some(-5), Some(-2)));
    assert_eq!(seen[1].uid, Some(0));
    assert_eq!(facts(&bytes), [(1024, PaxSizeOverride { pax: 512, header: 0 })]);

    // GHSA-3pv8-6f4r-ffg2: that size is the file's, not that of a long name between them.
    let bytes = ended(&[&pax(&[("size", "512")]), &member(b'L', b"l", b"name"), &file, &inner]);
    assert_eq!(paths(&bytes), ["name"]);

    let again = [&pax(&[("path", "first")])[..], &pax(&[("path", "second")]), &member(b'0', b"a", b"")];
    assert_eq!(paths(&ended(&again)), ["second"]);
    assert_eq!(facts(&ended(&again)), [(1024, RepeatedExtension { extension: Extension::Pax })]);

    let both = [&pax(&[("path", "pax")])[..], &member(b'L', b"l", b"gnu"), &member(b'0', b"a", b"")];
    assert_eq!(paths(&ended(&both)), ["pax"]);
    assert_eq!(facts(&ended(&both)), [(2048, ConflictingNames)]);

    let broken = [&member(b'x', b"x", b"10 path=b\nwhat")[..], &member(b'0', b"a", b"")];
    assert_eq!(paths(&ended(&broken)), ["b"]);
    assert_eq!(facts(&ended(&broken)), [(0, MalformedPax { fault: PaxFault::Length })]);

    for (extension, data) in [(b'x', records(&[("path", "a\0b")])), (b'L', b"a\0b\0".to_vec())] {
        let bytes = ended(&[&member(extension, b"e", &data), &member(b'0', b"a", b"")]);
        assert_eq!(facts(&bytes), [(0, NulInPath)]);
    }
}

#[test]
fn global_headers_have_no_effect() {
    use AnomalyKind::*;
    let global = member(b'g', b"pax_global_header", &records(&[("path", "evil"), ("size", "5")]));
    let (seen, _) = scan(&ended(&[&global, &member(b'0', b"a", b"abc")]));
    assert_eq!(
        (seen[0].kind, seen[0].size, &seen[0].path[..]),
        (Kind::Global, 22, &b"pax_global_header"[..])
    );
    assert_eq!((seen[1].kind, seen[1].size, &seen[1].path[..]), (Kind::Regular, 3, &b"a"[..]));
    assert_eq!((seen[1].header, seen[1].pax.len()), (1024, 0));
    let comment = member(b'g', b"g", &records(&[("comment", "x")]));
    let a = member(b'0', b"a", b"");
    assert_eq!(facts(&ended(&[&global, &a])), [(0, GlobalPax { overrides: true })]);
    assert_eq!(facts(&ended(&[&comment, &a])), [(0, GlobalPax { overrides: false })]);
    // Go returns the global header and forgets what came before it.
    let bytes = ended(&[&pax(&[("path", "lost")]), &comment, &a]);
    assert_eq!(paths(&bytes), ["g", "a"]);
    let dangling = DanglingExtension { extension: Extension::Pax };
    assert_eq!(facts(&bytes), [(0, dangling), (1024, GlobalPax { overrides: false })]);
}

#[test]
fn extensions_are_capped() {
    let limits = Limits { extension_bytes: 100 };
    for (len, path) in [(100, "n".repeat(100)), (101, "a".into())] {
        let bytes = ended(&[&member(b'L', b"l", &vec![b'n'; len]), &member(b'0', b"a", b"")]);
        let (seen, anomalies) = scan_within(&bytes, limits, 99);
        assert_eq!(seen[0].path, path);
        let kind = AnomalyKind::ExtensionTooLarge { extension: Extension::LongName, size: 101 };
        let expected = if len > 100 { vec![Anomaly { offset: 0, kind }] } else { vec![] };
        assert_eq!(anomalies, expected);
    }
    // A size that is a lie costs nothing.
    let bytes = block(head(Header::new_gnu, b'x', b"x", 1 << 50));
    assert_eq!(facts(&bytes)[1].1, AnomalyKind::TruncatedData { needed: 1 << 50, have: 0 });
}

#[test]
fn numbers_are_facts() {
    for (range, text, expected) in [
        (field::MODE, &b"what"[..], Field::Mode),
        (field::UID, b"9", Field::Uid),
        (field::GID, b"0 0", Field::Gid),
        (field::SIZE, b"-1", Field::Size),
        (field::SIZE, &[0xff; 12], Field::Size),
        (field::MTIME, b"x", Field::Mtime),
        (field::DEV_MAJOR, b"x", Field::DevMajor),
        (field::DEV_MINOR, &[0xff; 8], Field::DevMinor),
    ] {
        let mut header = head(Header::new_ustar, b'0', b"a", 0);
        let bytes = &mut header.as_mut_bytes()[range];
        bytes.fill(0);
        bytes[..text.len()].copy_from_slice(text);
        let bytes = ended(&[&block(header), &member(b'0', b"b", b"")]);
        assert_eq!(paths(&bytes), ["a", "b"]);
        assert_eq!(facts(&bytes), [(0, AnomalyKind::BadNumber { field: expected })], "{text:?}");
    }
    // Go and GNU tar read over a NUL before a size; Python and the crate `tar` end there.
    for (text, expected) in [
        (&b"\0 0000004\0"[..], vec![(0, AnomalyKind::SizeBehindNul { size: 4 })]),
        (b"\0 0000000\0", vec![]),
        (b"  0000004\0", vec![]),
    ] {
        let mut header = head(Header::new_ustar, b'0', b"a", 0);
        let bytes = &mut header.as_mut_bytes()[field::SIZE];
        bytes.fill(0);
        bytes[..text.len()].copy_from_slice(text);
        let mut data = [0; 512];
        data[..4].copy_from_slice(b"data");
        let data: &[u8] = if text.contains(&b'4') { &data } else { &[] };
        let bytes = ended(&[&block(header), data, &member(b'0', b"b", b"")]);
        assert_eq!(paths(&bytes), ["a", "b"]);
        assert_eq!(facts(&bytes), expected, "{text:?}");
    }
    let mut header = head(Header::new_gnu, b'0', b"a", 0);
    header.as_old_mut().uid = [0xff; 8];
    let (seen, anomalies) = scan(&ended(&[&block(header)]));
    assert_eq!((seen[0].uid, anomalies), (Some(-1), vec![]));
}

#[test]
fn sparse_files() {
    let mut header = head(Header::new_gnu, b'S', b"a", 3);
    let gnu = header.as_gnu_mut().expect("gnu");
    gnu.set_real_size(4096);
    gnu.set_is_extended(true);
    let mut more = [0; BLOCK];
    more[field::SPARSE_BLOCK_MORE] = 1;
    let data = [&b"abc"[..], &[0; 509]].concat();
    let bytes = ended(&[&block(header), &more, &[0; BLOCK], &data, &member(b'0', b"b", b"")]);
    let (seen, anomalies) = scan(&bytes);
    assert_eq!((seen[0].kind, seen[0].header, seen[0].data), (Kind::Sparse(Sparse::OldGnu), 0, 1536));
    assert_eq!((&seen[1].path[..], anomalies), (&b"b"[..], vec![]));
    assert_eq!(facts(&bytes[..600]), [(512, AnomalyKind::TruncatedHeader { have: 88 })]);

    let pairs = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "a"),
        ("GNU.sparse.realsize", "9"),
    ];
    let bytes = ended(&[&pax(&pairs), &member(b'0', b"GNUSparseFile.1/a", b"1\n0\n3\n")]);
    let mut real_size = None;
    index(&&bytes[..], bytes.len() as u64, Limits::default(), &mut |entry| {
        real_size = entry.real_size;
        assert_eq!((entry.kind, entry.path), (Kind::Sparse(Sparse::Pax10), &b"a"[..]));
        assert!(entry.pax_records().any(|r| r == Ok((b"GNU.sparse.realsize", b"9"))));
        ControlFlow::Break(())
    })
    .expect("memory does not fail");
    assert_eq!(real_size, Some(9));
}

#[test]
fn large_data_is_not_read() {
    /// Counts what is read.
    struct Counting<'a>(&'a [u8], std::cell::Cell<usize>);
    impl ReadAt for Counting<'_> {
        fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
            let n = self.0.read_at(buf, offset)?;
            self.1.set(self.1.get() + n);
            Ok(n)
        }
    }
    let bytes = ended(&[&member(b'0', b"a", &vec![7; 4 << 20]), &member(b'0', b"b", &vec![7; 4 << 20])]);
    let source = Counting(&bytes, Default::default());
    let mut count = 0;
    let anomalies = index(&source, bytes.len() as u64, Limits::default(), &mut |_| {
        count += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((count, anomalies.expect("memory does not fail")), (2, vec![]));
    assert!(source.1.get() <= 80 << 10, "{}", source.1.get());
    // A source that became shorter is an error of reading, not a fact about the tar.
    let shrunk =
        index(&&bytes[..1000], bytes.len() as u64, Limits::default(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(shrunk.expect_err("too short").kind(), std::io::ErrorKind::UnexpectedEof);
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    let typeflag = prop::sample::select(&b"\x00012345679xgLKSVZ"[..]);
    let data = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..1200),
        Just(records(&[("path", "p"), ("size", "700")])),
        Just(records(&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("path", "a\0b")])),
        Just(b"a long name\0".to_vec()),
    ];
    prop_oneof![
        6 => (typeflag, "[ab/.]{0,9}", data).prop_map(|(flag, name, data)| member(flag, name.as_bytes(), &data)),
        1 => Just(vec![0; 512]),
        1 => prop::collection::vec(any::<u8>(), 512),
        1 => Just(block(head(Header::new_gnu, b'0', b"big", 1 << 40))),
    ]
}

proptest! {
    #[test]
    fn drivers_and_chunks_agree(
        parts in prop::collection::vec(part(), 0..8),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
        cut in 0usize..600,
        piece in prop_oneof![1usize..40, 500usize..530, 1usize..5000],
    ) {
        let mut bytes = ended(&parts.iter().map(|part| &part[..]).collect::<Vec<_>>());
        for (place, byte) in flips {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut);
        let (seen, _) = scan_within(&bytes, Limits { extension_bytes: 600 }, piece);
        prop_assert!(seen.iter().all(|seen| seen.data <= bytes.len() as u64));
        prop_assert!(seen.windows(2).all(|two| two[0].header < two[1].header));
    }
}

/// Where archives of other projects are kept; they are no part of this one.
fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let place = std::env::var_os("RESTOW_SHARED").map_or(beside, PathBuf::from);
    if !place.join("real/INDEX.tsv").is_file() {
        eprintln!("skipped: no archives at {}", place.display());
        return None;
    }
    Some(place)
}

/// The tar in a file, decompressed; `None` if it is none.
fn plain(path: &Path) -> Option<Vec<u8>> {
    let raw = std::fs::read(path).ok()?;
    let mut bytes = Vec::new();
    match raw.get(..4)? {
        // compress(1), which no image uses.
        [0x1f, 0x9d, ..] => return None,
        [0x1f, 0x8b, ..] => flate2::read::MultiGzDecoder::new(&raw[..]).read_to_end(&mut bytes).ok()?,
        b"\x28\xb5\x2f\xfd" => {
            zstd::stream::read::Decoder::new(&raw[..]).ok()?.read_to_end(&mut bytes).ok()?
        }
        _ => return Some(raw),
    };
    Some(bytes)
}

/// How the notes of the index name a fact, if they do.
fn note(kind: AnomalyKind) -> Option<String> {
    Some(match kind {
        AnomalyKind::BadChecksum { .. } => "header checksum wrong".into(),
        AnomalyKind::TruncatedData { needed, have } => format!("(needs {needed}, has {have})"),
        AnomalyKind::LoneZeroBlock => "lone zero block".into(),
        AnomalyKind::NoEndBlocks { .. } => "no end-of-archive blocks".into(),
        AnomalyKind::NotPadded { .. } => "not padded to 512".into(),
        AnomalyKind::EntriesAfterEnd { bytes } | AnomalyKind::TocAfterEnd { bytes } => {
            format!("(concatenated), {bytes} bytes")
        }
        AnomalyKind::RepeatedExtension { .. } => "repeated".into(),
        AnomalyKind::DanglingExtension { .. } => "dangling extension header".into(),
        AnomalyKind::MalformedPax { fault: PaxFault::Number(Field::Mtime) } => "pax: bad mtime".into(),
        AnomalyKind::MalformedPax { .. } => "pax: bad".into(),
        AnomalyKind::PaxSizeOverride { pax, header } => {
            format!("pax size {pax} overrides header size {header}")
        }
        _ => return None,
    })
}

#[test]
fn real_layers_are_as_their_notes_say() {
    let Some(shared) = shared() else { return };
    let real = shared.join("real");
    let table = std::fs::read_to_string(real.join("INDEX.tsv")).expect("the index is text");
    let named = [
        "header checksum wrong",
        "runs past the end",
        "lone zero block",
        "no end-of-archive",
        "not padded",
        "concatenated",
        "repeated",
        "dangling",
        "pax: bad",
        "overrides header size",
    ];
    let (mut cases, mut wrong) = (0, Vec::new());
    for line in table.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        let [case, "layer/plain tar", _, _, notes] = columns[..] else { continue };
        let Some(bytes) = plain(&real.join(case)) else { continue };
        cases += 1;
        let (seen, anomalies) = scan(&bytes);
        let told: Vec<_> = anomalies.iter().filter_map(|a| note(a.kind)).collect();
        if let Some(unexpected) = told.iter().find(|told| !notes.contains(*told)) {
            wrong.push(format!("{case}: told {unexpected}"));
        }
        for name in named.iter().filter(|name| notes.contains(*name)) {
            let meant = |a: &Anomaly| match (*name, a.kind) {
                ("runs past the end", AnomalyKind::TruncatedData { .. }) => true,
                (_, kind) => note(kind).is_some_and(|told| told.contains(name)),
            };
            if !anomalies.iter().any(meant) {
                wrong.push(format!("{case}: did not tell {name}"));
            }
        }
        let count = seen.iter().filter(|seen| seen.kind != Kind::Global).count();
        // A directory with a size: that checker steps over data, as GNU tar does; Go and libarchive see none.
        if case.ends_with("test_compat_tar_directory_1.tar") {
            assert_eq!(count, 2);
            continue;
        }
        let noted = notes.split("entries=").nth(1).and_then(|rest| rest.split([';', ',']).next());
        // That checker drops an entry whose PAX header is broken.
        if noted.is_some_and(|n| n.trim() != count.to_string()) && !notes.contains("pax: bad") {
            wrong.push(format!("{case}: {count} entries, not {noted:?}"));
        }
    }
    assert!(cases > 50, "{cases} cases");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn real_archives_read_as_by_the_tar_crate() {
    let Some(shared) = shared() else { return };
    let mut todo = vec![shared.join("real"), shared.join("samples")];
    let (mut compared, mut wrong) = (0, Vec::new());
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(std::fs::read_dir(path).expect("readable").map(|e| e.expect("readable").path()));
            continue;
        }
        let Some(bytes) = plain(&path).filter(|b| b.get(257..262) == Some(b"ustar")) else { continue };
        // Magic "ustar\0" with GNU's version, from an old Go: the crate ignores its prefix; Go and GNU tar use it.
        if path.ends_with("storage/pkg/archive/testdata/broken.tar") {
            continue;
        }
        let Some(theirs) = tar_crate(&bytes) else { continue };
        compared += 1;
        let ours: Vec<_> = by_index(&bytes, Limits::default())
            .0
            .into_iter()
            .filter(|seen| !matches!(seen.kind, Kind::Sparse(_)))
            .map(|seen| (seen.path, if seen.kind.has_data() { seen.size } else { 0 }))
            .collect();
        if ours != theirs {
            wrong.push(path);
        }
    }
    assert!(compared > 100, "{compared} archives");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Paths and sizes of all that is not sparse; `None` where the crate fails.
fn tar_crate(bytes: &[u8]) -> Option<Vec<(BString, u64)>> {
    let mut all = Vec::new();
    for entry in tar::Archive::new(bytes).entries().ok()? {
        let mut entry = entry.ok()?;
        let path = BString::from(entry.path_bytes().into_owned());
        let mut sparse = entry.header().entry_type() == EntryType::GNUSparse;
        if let Some(records) = entry.pax_extensions().ok()? {
            sparse |= records.flatten().any(|record| record.key_bytes().starts_with(b"GNU.sparse."));
        }
        if !sparse {
            all.push((path, entry.size()));
        }
    }
    Some(all)
}

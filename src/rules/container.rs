//! Rules about the container of an archive's members: the stream around a tar, its headers, and members that are
//! no regular files.

use std::collections::HashSet;

use bstr::ByteSlice;

use super::capped::Capped;
use crate::finding::{Finding, Rule, rule};
use crate::location::{At, Location, MemberId};
use crate::model::Archive;
use crate::source::{LinkFault, Member, MemberKind, Special, TreeAnomaly, shown};
use crate::tar::{Anomaly, AnomalyKind};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &COMPRESSED,
    &BYTES_AFTER_STREAM,
    &NO_END,
    &LONE_ZERO_BLOCK,
    &BAD_NUMBER,
    &ABSOLUTE_NAME,
    &BROKEN_LINK,
    &SYMLINK,
    &HARD_LINK,
    &SPECIAL_FILE,
    &ODD_ENTRY,
];

/// The largest size that a header can hold in octal: larger ones need a PAX header or base 256.
const MAX_OCTAL: u64 = 0o77_777_777_777;

rule! {
    /// The whole archive is compressed.
    COMPRESSED = "archive/compressed", Note, No, [2],
    checks: "Whether the tar as a whole is compressed.",
    matters: "No specification allows it. Docker takes gzip, bzip2 and xz, and zstd since version 23; skopeo takes all four. crane and `ctr` 1.6 fail with `invalid tar header`, `ctr` 2 reads gzip and zstd.",
    example: "`docker save app:1 | gzip > app.tar.gz`",
    mend: "Decompress it, or write it anew.",
    remedy: Convert(&[]),
    breaks: [Containerd, Umoci],
    optional: true,
}
rule! {
    /// Something follows the compressed stream.
    BYTES_AFTER_STREAM = "archive/bytes-after-stream", Warning, No, [4],
    checks: "Nothing follows the compressed stream around the tar.",
    matters: "RFC 1952 and RFC 8878 know further members and frames only. Go's gzip fails with `invalid header`, so a tool refuses the archive or passes over it, depending on when it stops to read; the gzip program ignores it.",
    example: "A `.tar.gz` padded with zeros to the blocks of a tape.",
    mend: "Decompress it and compress it again, or write it anew.",
    remedy: Convert(&[]),
    breaks: [Containerd],
}
rule! {
    /// The tar does not say that it ends.
    NO_END = "archive/no-end-blocks", Note, No, [6],
    checks: "Whether two blocks of zeros end the outer tar, and the last member is padded to a block.",
    matters: "POSIX tar demands both. All loaders do without; but nothing tells such a tar from one that was cut between two members.",
    example: "A tar that was joined from pieces without its last kilobyte.",
    mend: "If it was copied, compare its size with the original's; if it is whole, write it anew.",
    remedy: Convert(&[]),
}
rule! {
    /// One block of zeros between headers.
    LONE_ZERO_BLOCK = "archive/lone-zero-block", Error, Soft, [5, 6],
    checks: "No single block of zeros stands between two headers of the outer tar.",
    matters: "POSIX tar ends with two. Go's reader stops there with `invalid tar header`, so Docker, containerd, skopeo and crane refuse the archive; GNU tar warns and reads on, as restow does.",
    example: "Two tars put one behind the other by a tool that cut one end block off.",
    mend: "Write the tar again.",
    remedy: Convert(&[Lower]),
    breaks: [Containerd, Skopeo, Podman, Buildah, Umoci],
}
rule! {
    /// A number in a header is none.
    BAD_NUMBER = "archive/bad-number", Error, Soft, [5],
    checks: "Numbers in the headers of the outer tar are octal or base 256, and not negative where that has no meaning.",
    matters: "Go's reader refuses such a header (`invalid tar header`), and with it the archive.",
    example: "A mode field that holds letters.",
    mend: "Write the tar again.",
    remedy: Convert(&[Lower]),
    breaks: [Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// A name that begins at the root.
    ABSOLUTE_NAME = "archive/absolute-name", Warning, No, [9, 26],
    checks: "No member's name begins with `/`.",
    matters: "Docker extracts below its temporary directory and finds the member; containerd, skopeo and crane look up the exact name. Cloud Native Buildpacks' imgutil writes layers so.",
    example: "A layer called `/sha256:5f70….tar`.",
    mend: "Write the archive anew, with relative names.",
    remedy: Convert(&[]),
    breaks: [Containerd],
}
rule! {
    /// A link that leads nowhere.
    BROKEN_LINK = "archive/broken-link", Warning, No, [11],
    checks: "Links of an archive have targets that are relative, inside it, there, and reached in at most 16 steps.",
    matters: "Docker confines links to its temporary directory, skopeo follows one step, containerd none. What a broken link stands for is missing. If an image needs it, `blob/missing` says so and shows the link.",
    example: "`e0a7…/layer.tar` is a link to `../2c61…/layer.tar`, which was left out when the archive was packed again.",
    mend: "Save the image again if it needs the file; if not, write the archive anew, without links.",
    remedy: Convert(&[]),
    breaks: [Containerd],
}
rule! {
    /// A symlink that skopeo cannot read.
    SYMLINK = "archive/symlink", Warning, No, [12],
    checks: "Symlinks in a tar lead in one step to a layer.",
    matters: "Docker has written such links for repeated layers since 1.13, and skopeo for its legacy names, and both read those. Readers that look members up by name see a link of 0 bytes.",
    example: "`config.json` is a link to `0fef….json`.",
    mend: "Write the archive anew, without links.",
    remedy: Convert(&[]),
    optional: true,
}
rule! {
    /// A hard link.
    HARD_LINK = "archive/hard-link", Warning, No, [13],
    checks: "No member of a tar is a hard link.",
    matters: "No tool writes them. Docker and crane follow them, skopeo reads an empty file and fails with a digest error, containerd does not find the layer.",
    example: "An archive that was unpacked on a file system that joins equal files, and packed again.",
    mend: "Write the archive anew, without links.",
    remedy: Convert(&[]),
    breaks: [Containerd, Skopeo, Podman, Buildah],
    optional: true,
}
rule! {
    /// A device or FIFO.
    SPECIAL_FILE = "archive/special-file", Error, Soft, [14],
    checks: "No member of a tar is a device or FIFO.",
    matters: "No format has them. Docker creates them when it unpacks the archive, or fails if it may not.",
    example: "`/dev/sda` as a block device beside `manifest.json`.",
    mend: "Treat the archive as hostile, or keep only what the image needs.",
    remedy: Convert(&[Lower]),
}
rule! {
    /// Something that readers take differently.
    ODD_ENTRY = "archive/odd-entry", Error, Soft, [14],
    checks: "No member of a tar is a sparse file or of an unknown type.",
    matters: "Readers differ: Go expands sparse files, restow and others read their stored form or take the map for content; skopeo, podman and buildah refuse a member of an unknown type, GNU tar and Python make files of some and obey others as headers.",
    example: "A layer packed with `tar --sparse`.",
    mend: "Write the tar again with regular files only, or keep only what the image needs.",
    remedy: Convert(&[Lower]),
    breaks: [Skopeo, Podman, Buildah],
}

/// Findings about the stream around the tar and about headers, of those that say what one reader takes for another.
pub fn anomaly(anomaly: &TreeAnomaly) -> Option<Finding> {
    match anomaly {
        TreeAnomaly::AfterStream(rest) => {
            let what = if rest.zeros { "zeros" } else { "bytes that are no further part of it" };
            let at = Location { member: None, at: At::Offset(rest.offset) };
            let message = format!("{what} follow the compressed stream around the tar");
            Some(Finding::new(&BYTES_AFTER_STREAM, at, message))
        }
        TreeAnomaly::Tar(anomaly) => header(anomaly),
        _ => None,
    }
}

fn header(anomaly: &Anomaly) -> Option<Finding> {
    let (rule, message) = match anomaly.kind {
        AnomalyKind::NoEndBlocks { have: 0 } => (&NO_END, "no block of zeros ends the tar".to_owned()),
        AnomalyKind::NoEndBlocks { .. } => {
            (&NO_END, "one block of zeros ends the tar instead of two".to_owned())
        }
        AnomalyKind::NotPadded { missing } => {
            (&NO_END, format!("the last member lacks {missing} bytes of padding"))
        }
        AnomalyKind::LoneZeroBlock => {
            (&LONE_ZERO_BLOCK, "one block of zeros stands between two headers".to_owned())
        }
        AnomalyKind::BadNumber { field } => (
            &BAD_NUMBER,
            format!("the {} in a tar header is not a number", format!("{field:?}").to_lowercase()),
        ),
        AnomalyKind::PaxSizeOverride { pax, header } if header != 0 || pax <= MAX_OCTAL => (
            &super::archive::AMBIGUOUS_HEADER,
            format!(
                "the PAX header says {pax} bytes, the tar header {header}: readers see different members"
            ),
        ),
        AnomalyKind::SizeBehindNul { size } => (
            &super::archive::AMBIGUOUS_HEADER,
            format!(
                "a size of {size} bytes stands behind a NUL, which some readers take for none: they see different members"
            ),
        ),
        AnomalyKind::RepeatedExtension { .. } => (
            &super::archive::AMBIGUOUS_HEADER,
            "a member has two extension headers of one kind, of which readers take either".to_owned(),
        ),
        AnomalyKind::SizeOnNonFile { size } => (
            &super::archive::AMBIGUOUS_HEADER,
            format!("a directory, link or device has a size of {size} bytes, which some readers step over"),
        ),
        AnomalyKind::GlobalPax { overrides: true } => (
            &super::archive::AMBIGUOUS_HEADER,
            "a global PAX header sets names or sizes, which loaders ignore and other readers apply".to_owned(),
        ),
        AnomalyKind::SparseRecords => (
            &super::archive::AMBIGUOUS_HEADER,
            "a member that is no sparse file has PAX records of one, which GNU tar and Python obey".to_owned(),
        ),
        AnomalyKind::FileNamedAsDirectory => (
            &super::archive::AMBIGUOUS_HEADER,
            "the name of a regular file ends with a slash, which GNU tar takes for a directory".to_owned(),
        ),
        AnomalyKind::ForeignPrefix => (
            &super::archive::AMBIGUOUS_HEADER,
            "a tar header has a prefix that is not of its dialect: readers join it with the name, or do not".to_owned(),
        ),
        AnomalyKind::DanglingExtension { .. } => (
            &super::archive::AMBIGUOUS_HEADER,
            "an extension header is not followed by its member, so that readers give it to another or to none".to_owned(),
        ),
        _ => return None,
    };
    Some(Finding::new(rule, Location { member: None, at: At::Offset(anomaly.offset) }, message))
}

/// Findings about members that are more than names and bytes. `shown_links` are links that another finding explains.
pub fn members(archive: &Archive, shown_links: &HashSet<MemberId>, out: &mut Vec<Finding>) {
    let tree = &archive.tree;
    if let Some(codec) = tree.outer {
        let message = format!("the archive as a whole is compressed by {}", codec.name());
        out.push(Finding::new(&COMPRESSED, Location::archive(), message));
    }
    let layers: HashSet<MemberId> =
        archive.blobs.iter().filter(|blob| blob.layer).filter_map(|blob| blob.member).collect();
    let ambiguous: HashSet<MemberId> = tree
        .anomalies
        .iter()
        .filter_map(|odd| match odd {
            TreeAnomaly::Ambiguous { member, .. } => Some(*member),
            _ => None,
        })
        .collect();
    let mut found = Capped::default();
    for (i, member) in tree.members.iter().enumerate() {
        let id = MemberId(i as u32);
        let mut push = |rule: &'static Rule, message: String| {
            found.push(Finding::new(rule, Location::member(id), message));
        };
        let name = shown(member);
        if member.raw_name().is_some_and(|raw| raw.starts_with(b"/")) {
            push(&ABSOLUTE_NAME, format!("the name of member `{name}` is absolute"));
        }
        if let Some(fault) = tree.link_fault(id) {
            if !shown_links.contains(&id) && !ambiguous.contains(&id) {
                push(&BROKEN_LINK, broken(member, fault));
            }
            continue;
        }
        if tree.is_folder() {
            continue;
        }
        match member.kind() {
            MemberKind::Symlink(target) if !one_step(archive, id, &layers) => {
                push(&SYMLINK, format!("member `{name}` is a symlink to `{target}`, and not to a layer"));
            }
            MemberKind::Hardlink(target) => {
                push(&HARD_LINK, format!("member `{name}` is a hard link to `{target}`"));
            }
            MemberKind::Other(Special::Device) => {
                push(&SPECIAL_FILE, format!("member `{name}` is a device"));
            }
            MemberKind::Other(Special::Fifo) => push(&SPECIAL_FILE, format!("member `{name}` is a FIFO")),
            MemberKind::Other(Special::Sparse) => {
                push(&ODD_ENTRY, format!("member `{name}` is a sparse file"));
            }
            MemberKind::Other(Special::Unknown(flag)) => {
                let flag = flag.escape_ascii();
                push(&ODD_ENTRY, format!("member `{name}` has the unknown type `{flag}`"));
            }
            MemberKind::File | MemberKind::Directory | MemberKind::Symlink(_) => {}
        }
    }
    found.end(out);
}

/// Whether a symlink leads to a layer without another link between.
fn one_step(archive: &Archive, id: MemberId, layers: &HashSet<MemberId>) -> bool {
    let tree = &archive.tree;
    let MemberKind::Symlink(target) = tree.member(id).kind() else { return false };
    let name = &tree.member(id).name();
    let parent = name.rfind_byte(b'/').map_or(&b""[..], |at| &name[..at]);
    let path = [parent, b"/", target].concat();
    tree.get(&crate::tar::clean(&path).path).is_some_and(|target| layers.contains(&target))
}

/// What is wrong with a link, in words.
pub fn broken(member: &Member, fault: LinkFault) -> String {
    let (MemberKind::Symlink(target) | MemberKind::Hardlink(target)) = member.kind() else {
        return String::new();
    };
    let why = match fault {
        LinkFault::Absolute => "which is absolute",
        LinkFault::Outside => "which is outside the archive",
        LinkFault::Nowhere => "which is not in the archive",
        LinkFault::TooManyHops => "which leads on through more than 16 links, or in a circle",
    };
    format!("`{}` is a link to `{target}`, {why}", shown(member))
}

#[cfg(test)]
mod tests {
    use crate::rules::fixture::{Tar, judge, judged};

    fn found(tar: &[u8]) -> Vec<&'static str> {
        judged(tar, &["archive/", "blob/missing"])
    }

    #[test]
    fn a_plain_archive_is_sound() {
        assert_eq!(found(&Tar::docker_archive().end()), [""; 0]);
    }

    #[test]
    fn the_stream_around_it() {
        let plain = Tar::docker_archive().end();
        let gzip = |tail: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &plain).expect("in memory");
            [&encoder.finish().expect("in memory"), tail].concat()
        };
        assert_eq!(found(&plain), [""; 0]);
        assert_eq!(found(&gzip(b"")), ["archive/compressed"]);
        assert_eq!(found(&gzip(&[0; 10])), ["archive/bytes-after-stream", "archive/compressed"]);
        // A skippable frame of zstd that holds a whole tar.
        let hidden = Tar::default().raw("x", b'0', "", b"", |header| {
            header[..8].copy_from_slice(&[0x50, 0x2a, 0x4d, 0x18, 0xf8, 0x05, 0, 0]);
        });
        let hidden = hidden.end();
        assert_eq!(hidden.len(), 8 + 0x5f8);
        let zstd = zstd::encode_all(&plain[..], 1).expect("in memory");
        let both = [&hidden[..], &zstd].concat();
        assert_eq!(found(&both), ["archive/polyglot", "archive/compressed"]);
        let mut one = both.clone();
        one[100] ^= 1;
        assert_eq!(found(&one), ["archive/compressed"]);
    }

    #[test]
    fn the_end_of_the_tar() {
        let tar = Tar::docker_archive();
        assert_eq!(found(&[&tar.0[..], &[0; 1024]].concat()), [""; 0]);
        assert_eq!(found(&tar.0), ["archive/no-end-blocks"]);
        assert_eq!(found(&[&tar.0[..], &[0; 512]].concat()), ["archive/no-end-blocks"]);
        // The last file and its padding.
        let mut tar = tar.0;
        tar.truncate(tar.len() - 1);
        assert_eq!(found(&tar)[0], "archive/no-end-blocks");
    }

    #[test]
    fn headers_that_readers_refuse() {
        let mut tar = Tar::docker_archive();
        assert_eq!(found(&tar.clone().file("x", b"x").end()), [""; 0]);
        tar.0.extend([0; 512]);
        assert_eq!(found(&tar.file("x", b"x").end())[0], "archive/lone-zero-block");
        let tar = Tar::docker_archive().raw("x", b'0', "", b"x", |header| header[100] = b'x');
        assert_eq!(found(&tar.end())[0], "archive/bad-number");
    }

    #[test]
    fn sizes_that_readers_take_differently() {
        let pax = |record: &str| Tar::docker_archive().entry("pax", b'x', "", record.as_bytes());
        assert_eq!(found(&pax("9 size=1\n").file("x", b"x").end()), [""; 0]);
        let hidden = pax("11 size=512\n").raw("x", b'0', "", &[1; 512], |header| header[134] = b'1');
        assert_eq!(found(&hidden.end())[0], "archive/ambiguous-header");
        let twice = pax("9 size=1\n").entry("pax", b'x', "", b"9 size=1\n").file("x", b"x");
        assert_eq!(found(&twice.end())[0], "archive/ambiguous-header");
    }

    /// What GNU tar or Python obeys, and Go does not.
    #[test]
    fn names_that_readers_take_differently() {
        let pax = |kind: u8, record: &str| {
            let record = format!("{} {record}\n", record.len() + if record.len() > 6 { 4 } else { 3 });
            Tar::docker_archive().entry("pax", kind, "", record.as_bytes()).file("x", b"x")
        };
        assert_eq!(found(&pax(b'x', "comment=x").end()), [""; 0]);
        for record in [
            "GNU.sparse.name=y",
            "GNU.sparse.size=9",
            "GNU.sparse.realsize=9",
            "GNU.sparse.major=2",
            "path=",
            "size=",
        ] {
            assert_eq!(found(&pax(b'x', record).end()), ["archive/ambiguous-header"], "{record}");
        }
        // A sparse file is one for all who know them.
        assert_eq!(found(&pax(b'x', "GNU.sparse.map=0,1").end()), ["archive/odd-entry"]);
        // A PAX header that a global one parts from its member.
        let parted = pax(b'x', "path=y").0.len() - 1024;
        let mut tar = Tar(pax(b'x', "path=y").0[..parted].to_vec()).entry("pax", b'g', "", b"12 comment=\n");
        assert_eq!(found(&tar.clone().file("x", b"x").end()), ["archive/ambiguous-header"]);
        tar = Tar::docker_archive();
        assert_eq!(found(&tar.clone().raw("d/", b'5', "", b"", |_| {}).end()), [""; 0]);
        assert_eq!(found(&tar.clone().raw("d/", b'0', "", b"", |_| {}).end()), ["archive/ambiguous-header"]);
        // Of type NUL it is a directory to all.
        let named = |size: u8| {
            let tar = tar.clone().raw("d/", 0, "", b"", |header| (header[156], header[134]) = (0, size));
            found(&tar.end())
        };
        assert_eq!(named(b'0'), [""; 0]);
        assert_eq!(named(b'1'), ["archive/ambiguous-header"]);
        let prefix = |at: usize, magic: &[u8; 8]| {
            let magic = *magic;
            let tar = Tar::docker_archive().raw("x", b'0', "", b"x", move |header| {
                header[257..265].copy_from_slice(&magic);
                header[at..at + 3].copy_from_slice(b"p/q");
            });
            found(&tar.end())
        };
        assert_eq!(prefix(345, b"ustar\x0000"), [""; 0]);
        assert_eq!(prefix(345, b"ustar\0 \0"), [""; 0]);
        assert_eq!(prefix(345, b"ustar  \0"), ["archive/ambiguous-header"]);
        assert_eq!(prefix(345, b"ustar 00"), ["archive/ambiguous-header"]);
        assert_eq!(prefix(345, &[0; 8]), ["archive/ambiguous-header"]);
        assert_eq!(prefix(400, b"ustar  \0"), [""; 0]);
    }

    #[test]
    fn names() {
        assert_eq!(found(&Tar::docker_archive().file("x", b"").end()), [""; 0]);
        assert_eq!(found(&Tar::docker_archive().file("/x", b"").end())[0], "archive/absolute-name");
        assert_eq!(
            found(&Tar::docker_archive().file("./manifest.json", b"").end())[0],
            "archive/duplicate-member"
        );
    }

    #[test]
    fn links() {
        let link =
            |kind: u8, target: &str| found(&Tar::docker_archive().entry("d/x", kind, target, b"").end());
        assert_eq!(link(b'2', "../l.tar"), [""; 0]);
        assert_eq!(link(b'2', "../c.json"), ["archive/symlink"]);
        assert_eq!(link(b'1', "l.tar"), ["archive/hard-link"]);
        for broken in ["/none", "../../l.tar", "../none", "x"] {
            assert_eq!(link(b'2', broken), ["archive/broken-link"], "{broken}");
        }
        // Docker keeps absolute links inside of the archive; others follow none.
        assert_eq!(link(b'2', "/l.tar"), ["archive/ambiguous-path"]);
        // A directory is there although no entry of its own says so.
        assert_eq!(link(b'2', "../d"), ["archive/symlink"]);
        let two = Tar::docker_archive().entry("a", b'2', "l.tar", b"").entry("b", b'2', "a", b"");
        assert_eq!(found(&two.end()), ["archive/symlink"]);
    }

    /// Who extracts the archive finds another member than who looks its name up.
    #[test]
    fn names_through_links() {
        let ambiguous = |tar: Tar| {
            let mut found = found(&tar.end());
            found.retain(|name| *name != "archive/symlink" && *name != "archive/hard-link");
            found
        };
        let tar = Tar::docker_archive;
        let link = |name: &str, to: &str| tar().entry(name, b'2', to, b"");
        let one = ["archive/ambiguous-path"];
        // Below a link, whichever comes first; a directory replaced by one.
        assert_eq!(ambiguous(link("b", ".").file("b/manifest.json", b"[]")), one);
        assert_eq!(ambiguous(tar().file("b/x", b"").entry("b", b'2', "d", b"").file("d/x", b"")), one);
        assert_eq!(ambiguous(tar().entry("b", b'5', "", b"").file("b/x", b"").file("b", b"")).len(), 2);
        assert_eq!(ambiguous(tar().file("b", b"").file("b/c/x", b"")), one);
        assert_eq!(
            ambiguous(tar().file("b", b"").file("b-c", b"").file("b.c/x", b"").file("bc", b"")),
            [""; 0]
        );
        assert_eq!(ambiguous(tar().file("b", b"").file("b-c", b"").file("b/x", b"")), one);
        // Links that run through links, and up from where one leads.
        let deep = || tar().file("x/y/z", b"").file("x/l.tar", b"").entry("d", b'2', "x/y", b"");
        assert_eq!(ambiguous(deep().entry("a", b'2', "x/y/z", b"")), [""; 0]);
        assert_eq!(ambiguous(deep().entry("a", b'2', "d/z", b"")), one);
        assert_eq!(ambiguous(deep().entry("a", b'2', "d/../l.tar", b"")), one);
        assert_eq!(ambiguous(deep().entry("a", b'2', "x/y/../l.tar", b"")), [""; 0]);
        assert_eq!(ambiguous(deep().entry("a", b'2', "none/../l.tar", b"")), one);
        assert_eq!(ambiguous(deep().entry("a", b'2', "l.tar/../l.tar", b"")), one);
        assert_eq!(ambiguous(deep().entry("a", b'2', "d", b"").entry("e", b'2', "a", b"")), [""; 0]);
        // A hard link to a symlink is that symlink at another place; one to what comes later is none yet.
        let hard = |name: &str, to: &str| tar().entry("s", b'2', "l.tar", b"").entry(name, b'1', to, b"");
        assert_eq!(ambiguous(hard("h", "s")), [""; 0]);
        assert_eq!(ambiguous(hard("d/h", "s")), one);
        assert_eq!(ambiguous(hard("d/h", "later").file("later", b"")), one);
        assert_eq!(ambiguous(hard("d/h", "l.tar")), [""; 0]);
        // Names that go up; one that leaves the archive is an error of its own.
        assert_eq!(ambiguous(tar().file("d/../x", b"")), one);
        assert_eq!(ambiguous(tar().file("../x", b"")), ["archive/escaping-name"]);
        assert_eq!(ambiguous(tar().entry("./", b'2', "d", b"")), one);
        assert_eq!(ambiguous(tar().entry("./", b'5', "", b"")), [""; 0]);
    }

    #[test]
    fn many_members_of_one_name_cost_little() {
        let tar = (0..20_000).fold(Tar::docker_archive(), |tar, _| tar.file("a", b""));
        let tar = (1..90).fold(tar, |tar, n| tar.file(&"a".repeat(n), b""));
        let begun = std::time::Instant::now();
        assert!(found(&tar.file("a/b", b"").end()).contains(&"archive/ambiguous-path"));
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    /// The link is shown where the layer is missed, and nowhere else.
    #[test]
    fn a_missing_layer_behind_a_link() {
        let manifest = r#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["x/layer.tar"]}]"#;
        let tar = Tar::default()
            .file("c.json", crate::rules::fixture::config(&["sha256:x"]).as_bytes())
            .entry("x/layer.tar", b'2', "../y/layer.tar", b"")
            .file("manifest.json", manifest.as_bytes())
            .end();
        assert_eq!(found(&tar), ["blob/missing"]);
        let missing = judge(&tar).into_iter().find(|f| f.rule.name == "blob/missing").expect("found");
        assert_eq!(
            missing.related[0].text,
            "`x/layer.tar` is a link to `../y/layer.tar`, which is not in the archive"
        );
    }

    #[test]
    fn what_is_no_file() {
        for (kind, rule) in [
            (b'3', "archive/special-file"),
            (b'4', "archive/special-file"),
            (b'6', "archive/special-file"),
            (b'Z', "archive/odd-entry"),
        ] {
            assert_eq!(found(&Tar::docker_archive().entry("x", kind, "", b"").end()), [rule]);
        }
        let global = |record: &[u8]| found(&Tar::docker_archive().entry("pax", b'g', "", record).end());
        assert_eq!(global(b"10 path=x\n"), ["archive/ambiguous-header"]);
        assert_eq!(global(b"21 GNU.sparse.name=x\n"), ["archive/ambiguous-header"]);
        assert_eq!(global(b"24 GNU.sparse.realsize=\n"), ["archive/ambiguous-header"]);
        assert_eq!(global(b"12 comment=\n"), [""; 0]);
        let sized = Tar::docker_archive().raw("d", b'5', "", b"", |header| header[134] = b'1');
        assert_eq!(found(&sized.end()), ["archive/ambiguous-header"]);
    }
}

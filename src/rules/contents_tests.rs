//! Each rule about the contents of layers, fired by a layer and just not fired by its neighbour.

use std::sync::Arc;

use super::*;
use crate::layer::fixture::Tar;
use crate::layer::{Spool, stack};
use crate::limits::Limits;

/// Names of the rules that are found of the topmost of these layers, each once.
fn found(layers: &[Tar], limits: &Limits) -> Vec<&'static str> {
    let spool = Arc::new(Spool::in_directory(None));
    let facts: Vec<LayerFacts> = layers.iter().map(|tar| tar.facts_in(&spool, limits)).collect();
    let mut out = Vec::new();
    if let Some(top) = facts.last() {
        layer(top, 0, MemberId(0), &mut out);
    }
    let stacked = stack::judge(&facts.iter().collect::<Vec<_>>(), &mut u64::MAX.clone()).expect("a spool");
    odd(&stacked, 0, MemberId(0), &mut out);
    let mut names: Vec<_> = out.iter().map(|finding| finding.rule.name).collect();
    names.dedup();
    names
}

/// The rule, what fires it and nothing else, and what is like it and fires nothing.
type Case = (&'static str, fn() -> Vec<Tar>, fn() -> Vec<Tar>);

fn one(tar: Tar) -> Vec<Tar> {
    vec![tar.end()]
}

fn on(base: Tar, top: Tar) -> Vec<Tar> {
    vec![base.end(), top.end()]
}

fn header(change: impl FnOnce(&mut tar::Header)) -> Vec<Tar> {
    one(Tar::new().entry(b'0', b"a", "", b"", change))
}

fn octal(field: &mut [u8], text: &str) {
    field.fill(0);
    field[..text.len()].copy_from_slice(text.as_bytes());
}

/// `cap_net_raw`, as the kernel keeps it.
const CAPABILITY: &str = "\u{1}\0\0\u{2}\0 \0\0\0\0\0\0\0\0\0\0\0\0\0\0";

const CASES: &[Case] = &[
    (
        "tar/bad-header",
        || vec![Tar::new().file("a", b"").bytes(&[1; 512]).end()],
        || vec![Tar::new().file("a", b"").file("b", b"").end()],
    ),
    (
        "tar/truncated",
        || vec![Tar(Tar::new().file("a", &[1; 600]).0[..1100].to_vec())],
        || one(Tar::new().file("a", &[1; 600])),
    ),
    (
        "tar/lone-zero-block",
        || one(Tar::new().file("a", b"").bytes(&[0; 512]).file("b", b"")),
        || one(Tar::new().file("a", b"").file("b", b"")),
    ),
    ("tar/no-end", || vec![Tar::new().file("a", b"")], || vec![Tar::new().file("a", b"").bytes(&[0; 1024])]),
    (
        "tar/hidden-data",
        || vec![Tar::new().file("a", b"").end().bytes(b"hello")],
        || vec![Tar::new().file("a", b"").end().bytes(&[0; 8192])],
    ),
    (
        "tar/hidden-entries",
        || vec![Tar::new().file("a", b"").end().file("b", b"").end()],
        || vec![Tar::new().file("a", b"").file("b", b"").end()],
    ),
    (
        "tar/bad-extension",
        || one(Tar::new().pax(&[("mtime", "x")]).file("a", b"")),
        || one(Tar::new().pax(&[("mtime", "1")]).file("a", b"")),
    ),
    (
        "tar/extension-too-large",
        || one(Tar::new().raw_pax(&" ".repeat((1 << 20) + 1)).file("a", b"")),
        || one(Tar::new().pax(&[("comment", &"x".repeat((1 << 20) - 17))]).file("a", b"")),
    ),
    (
        "tar/ambiguous-extension",
        || one(Tar::new().pax(&[("path", "b")]).pax(&[("path", "c")]).file("a", b"")),
        || one(Tar::new().pax(&[("path", "b")]).file("a", b"")),
    ),
    (
        "tar/global-override",
        || one(Tar::new().entry(b'g', b"pax", "", b"9 path=b\n", |_| {}).file("a", b"")),
        || one(Tar::new().entry(b'g', b"pax", "", b"12 comment=x\n", |_| {}).file("a", b"")),
    ),
    (
        "tar/bad-number",
        || header(|header| octal(&mut header.as_old_mut().mode, "x")),
        || header(|header| octal(&mut header.as_old_mut().mode, "0000777")),
    ),
    (
        "tar/unknown-type",
        || one(Tar::new().entry(b'V', b"a", "", b"", |_| {})),
        || one(Tar::new().entry(b'6', b"a", "", b"", |_| {})),
    ),
    (
        "tar/gnu-sparse",
        || one(Tar::new().entry(b'S', b"a", "", b"", |_| {})),
        || one(Tar::new().entry(b'0', b"a", "", b"", |_| {})),
    ),
    (
        "tar/sparse",
        || one(Tar::new().pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")]).file("a", b"0\n")),
        || one(Tar::new().pax(&[("GNU.sparse.major", "9"), ("GNU.sparse.minor", "0")]).file("a", b"0\n")),
    ),
    (
        "tar/size-on-non-file",
        || one(Tar::new().entry(b'2', b"a", "b", b"", |header| header.set_size(1))),
        || one(Tar::new().entry(b'2', b"a", "b", b"", |header| header.set_size(0))),
    ),
    (
        "tar/owner-out-of-range",
        || header(|header| header.set_uid(0xffff_ffff)),
        || header(|header| header.set_uid(0xffff_fffe)),
    ),
    (
        "tar/time-out-of-range",
        || header(|header| header.set_mtime(0x4_0000_0000)),
        || header(|header| header.set_mtime(0x3_7fff_ffff)),
    ),
    ("entry/absolute-name", || one(Tar::new().file("/a", b"")), || one(Tar::new().file("./a", b""))),
    ("entry/escaping-name", || one(Tar::new().file("../a", b"")), || one(Tar::new().file("b/../a", b""))),
    (
        "entry/empty-name",
        || one(Tar::new().entry(b'0', b"./", "", b"", |_| {})),
        || one(Tar::new().entry(b'5', b"./", "", b"", |_| {})),
    ),
    (
        "entry/absolute-hard-link",
        || one(Tar::new().file("a", b"").hard("b", "/a")),
        || one(Tar::new().file("a", b"").hard("b", "./a")),
    ),
    (
        "entry/escaping-hard-link",
        || one(Tar::new().file("a", b"").hard("b", "../a")),
        || one(Tar::new().file("a", b"").hard("b", "c/../a")),
    ),
    (
        "entry/escaping-symlink",
        || one(Tar::new().dir("d").link("d/b", "../../a")),
        || one(Tar::new().dir("d").link("d/b", "../a")),
    ),
    ("entry/absolute-symlink", || one(Tar::new().link("b", "/a")), || one(Tar::new().link("b", "a"))),
    (
        "entry/path-not-utf8",
        || one(Tar::new().entry(b'0', b"\xe9", "", b"", |_| {})),
        || one(Tar::new().file("\u{e9}", b"")),
    ),
    (
        "entry/path-too-long",
        || one(Tar::new().pax(&[("path", &"x".repeat(256))]).file("a", b"")),
        || one(Tar::new().pax(&[("path", &"x".repeat(255))]).file("a", b"")),
    ),
    (
        "entry/device",
        || one(Tar::new().entry(b'3', b"a", "", b"", |header| header.set_device_minor(3).expect("it fits"))),
        || one(Tar::new().entry(b'6', b"a", "", b"", |_| {})),
    ),
    (
        "entry/set-id",
        || header(|header| header.set_mode(0o4755)),
        || header(|header| header.set_mode(0o1755)),
    ),
    (
        "entry/capability",
        || one(Tar::new().pax(&[("SCHILY.xattr.security.capability", CAPABILITY)]).file("a", b"")),
        || one(Tar::new().pax(&[("SCHILY.xattr.user.capability", CAPABILITY)]).file("a", b"")),
    ),
    (
        "entry/bad-capability",
        || one(Tar::new().pax(&[("SCHILY.xattr.security.capability", &CAPABILITY[1..])]).file("a", b"")),
        // No value is no attribute.
        || one(Tar::new().pax(&[("SCHILY.xattr.security.capability", "")]).file("a", b"")),
    ),
    (
        "entry/security-attribute",
        || one(Tar::new().pax(&[("SCHILY.xattr.security.selinux", "x")]).file("a", b"")),
        || one(Tar::new().pax(&[("SCHILY.xattr.user.selinux", "x")]).file("a", b"")),
    ),
    (
        "entry/overlay-whiteout",
        || one(Tar::new().entry(b'3', b"a", "", b"", |_| {})),
        || one(Tar::new().file("a", b"")),
    ),
    (
        "entry/overlay-attribute",
        || one(Tar::new().pax(&[("SCHILY.xattr.trusted.overlay.opaque", "y")]).file("a", b"")),
        || one(Tar::new().pax(&[("SCHILY.xattr.trusted.overlap.opaque", "")]).file("a", b"")),
    ),
    (
        "entry/owner-name",
        || header(|header| header.set_username("root").expect("it fits")),
        || header(|header| header.set_username("").expect("it fits")),
    ),
    (
        "entry/duplicate-path",
        || one(Tar::new().file("a", b"").file("./a", b"")),
        || one(Tar::new().file("a", b"").file("./a.", b"")),
    ),
    (
        "entry/below-link",
        || one(Tar::new().link("a", "tmp").file("a/b", b"")),
        || one(Tar::new().link("a", "tmp").file("ab", b"")),
    ),
    (
        "entry/below-resolved-link",
        || one(Tar::new().dir("tmp").link("b", "tmp").link("a", "b").file("a/b", b"")),
        || one(Tar::new().dir("tmp").link("a", "tmp/b").file("a/b", b"")),
    ),
    (
        "entry/below-file",
        || one(Tar::new().file("a", b"").file("a/b", b"")),
        || one(Tar::new().dir("a").file("a/b", b"")),
    ),
    (
        "entry/below-file",
        || on(Tar::new().file("a", b""), Tar::new().file("a/b", b"")),
        || on(Tar::new().file("a", b""), Tar::new().file(".wh.a", b"").file("a/b", b"")),
    ),
    (
        "entry/below-lower-link",
        || on(Tar::new().link("a", "tmp"), Tar::new().file("a/b", b"")),
        || on(Tar::new().link("a", "tmp"), Tar::new().dir("a").file("a/b", b"")),
    ),
    (
        "entry/parent-after-child",
        || one(Tar::new().file("a/b", b"").dir("a")),
        || one(Tar::new().dir("a").file("a/b", b"")),
    ),
    (
        "entry/parent-missing",
        || on(Tar::new().dir("a"), Tar::new().file("b/c", b"")),
        || on(Tar::new().dir("a"), Tar::new().file("a/c", b"")),
    ),
    (
        "entry/case-collision",
        || one(Tar::new().file("A", b"").file("a", b"")),
        || one(Tar::new().file("A", b"").file("b", b"")),
    ),
    (
        "entry/hard-link-to-directory",
        || one(Tar::new().dir("a").hard("b", "a")),
        || one(Tar::new().file("a", b"").hard("b", "a")),
    ),
    (
        "entry/hard-link-target-missing",
        || on(Tar::new().file("a", b""), Tar::new().hard("b", "c")),
        || on(Tar::new().file("a", b""), Tar::new().file("c", b"").hard("b", "c")),
    ),
    (
        "entry/hard-link-to-lower-layer",
        || on(Tar::new().file("a", b""), Tar::new().hard("b", "a")),
        || on(Tar::new().file("a", b""), Tar::new().file("a", b"").hard("b", "a")),
    ),
    (
        "entry/hard-link-through-link",
        || one(Tar::new().dir("usr").file("usr/x", b"").link("lib", "usr").hard("b", "lib/x")),
        || one(Tar::new().dir("usr").file("usr/x", b"").link("lib", "usr").hard("b", "usr/x")),
    ),
    (
        "whiteout/not-empty-file",
        || on(Tar::new().file("a", b""), Tar::new().file(".wh.a", b"x")),
        || on(Tar::new().file("a", b""), Tar::new().file(".wh.a", b"")),
    ),
    (
        "whiteout/bad-name",
        || on(Tar::new().file("a", b""), Tar::new().file(".wh...", b"")),
        || on(Tar::new().file(".a", b""), Tar::new().file(".wh..a", b"")),
    ),
    (
        "whiteout/hides-own-path",
        || on(Tar::new().file("a", b""), Tar::new().file("a", b"").file(".wh.a", b"")),
        || on(Tar::new().file("a", b""), Tar::new().file(".wh.a", b"").dir("a").file("a/b", b"")),
    ),
    (
        "whiteout/before-directory",
        || on(Tar::new().dir("a"), Tar::new().file(".wh.a", b"").dir("a")),
        || on(Tar::new().file("a", b""), Tar::new().file(".wh.a", b"").dir("a")),
    ),
    (
        "whiteout/below-whiteout",
        || on(Tar::new().file("a/b", b""), Tar::new().file("a/.wh.b", b"").file(".wh.a", b"")),
        || on(Tar::new().file("c", b""), Tar::new().file(".wh.c", b"").dir("c").file("c/.wh.b", b"")),
    ),
    (
        "whiteout/below-file",
        || on(Tar::new().file("a", b""), Tar::new().file("a/.wh.b", b"")),
        || on(Tar::new().dir("a").file("a/b", b""), Tar::new().file("a/.wh.b", b"")),
    ),
    (
        "whiteout/below-lower-link",
        || on(Tar::new().link("a", "tmp"), Tar::new().file("a/.wh.b", b"")),
        || on(Tar::new().link("a", "tmp"), Tar::new().dir("a").file("a/.wh.b", b"")),
    ),
    (
        "whiteout/below-removed",
        || {
            let base = Tar::new().file("a/b/c", b"").end();
            vec![base, Tar::new().file(".wh.a", b"").end(), Tar::new().file("a/b/.wh.c", b"").end()]
        },
        // Directly in what is gone it does nothing.
        || {
            let base = Tar::new().file("a/b", b"").end();
            vec![base, Tar::new().file(".wh.a", b"").end(), Tar::new().file("a/.wh.b", b"").end()]
        },
    ),
    (
        "whiteout/hides-nothing",
        || on(Tar::new().file("a", b""), Tar::new().file(".wh.b", b"")),
        || on(Tar::new().file("b", b""), Tar::new().file(".wh.b", b"")),
    ),
    (
        "whiteout/in-base-layer",
        || one(Tar::new().file(".wh.a", b"")),
        || on(Tar::new().file("a", b""), Tar::new().file(".wh.a", b"")),
    ),
    (
        "whiteout/redundant",
        || on(Tar::new().file("a", b""), Tar::new().file(".wh..wh..opq", b"").file(".wh.a", b"")),
        || on(Tar::new().file("a", b""), Tar::new().file(".wh..wh..opq", b"").file("a", b"")),
    ),
    (
        "whiteout/aufs",
        || one(Tar::new().dir(".wh..wh.plnk")),
        || on(Tar::new().file("a", b""), Tar::new().file(".wh..wh..opq", b"")),
    ),
];

#[test]
fn each_rule_is_fired_by_its_fault_and_not_by_its_neighbour() {
    for (rule, fault, neighbour) in CASES {
        let fired = found(&fault(), &Limits::default());
        assert!(fired.contains(rule), "{rule}: {fired:?}");
        let unexpected: Vec<_> = fired.iter().filter(|name| *name != rule).collect();
        assert!(unexpected.is_empty(), "{rule} comes with {unexpected:?}");
        let beside = found(&neighbour(), &Limits::default());
        assert!(!beside.contains(rule), "{rule}: its neighbour fires {beside:?}");
    }
}

#[test]
fn every_rule_about_entries_has_a_case() {
    // These need more than layers, or more than one of their kind.
    let elsewhere = [
        "entry/below-escaping-link",
        "entry/not-judged",
        "entry/windows-root",
        "entry/windows-layer",
        "tar/too-many-entries",
    ];
    for rule in [entry::RULES, layer_tar::RULES, whiteout::RULES].concat() {
        let here = CASES.iter().any(|(name, ..)| *name == rule.name);
        assert!(here != elsewhere.contains(&rule.name), "{}", rule.name);
    }
    for (_, rule, _) in MEANINGS {
        let listed = [entry::RULES, layer_tar::RULES, whiteout::RULES].concat();
        assert!(listed.iter().any(|held| held.name == rule.name), "{}", rule.name);
    }
}

#[test]
fn links_that_escape_are_told_from_others() {
    let escaping = one(Tar::new().link("a", "../tmp").file("a/b", b""));
    let fired = found(&escaping, &Limits::default());
    assert_eq!(fired, ["entry/escaping-symlink", "entry/below-escaping-link"]);
    let inside = one(Tar::new().link("a", "/tmp").file("a/b", b""));
    assert_eq!(found(&inside, &Limits::default()), ["entry/absolute-symlink", "entry/below-link"]);
}

#[test]
fn entries_beyond_the_limit() {
    let tar = || one(Tar::new().file("a", b"").file("b", b""));
    let limits = |entries| Limits { entries, ..Limits::default() };
    assert_eq!(found(&tar(), &limits(2)), [""; 0]);
    assert_eq!(found(&tar(), &limits(1)), ["tar/too-many-entries"]);
}

#[test]
fn entries_that_are_too_deep() {
    let of = |depth: usize| {
        let path = format!("{}x", "d/".repeat(depth));
        let mut out = Vec::new();
        let tar = Tar::new().pax(&[("path", &path)]).file("x", b"").end();
        layer(&tar.facts(), 0, MemberId(0), &mut out);
        out.iter().map(|finding| finding.rule.name).collect::<Vec<_>>()
    };
    assert_eq!(of(257), [""; 0]);
    assert_eq!(of(258), ["entry/not-judged"]);
}

#[test]
fn windows_layers_and_others() {
    let of = |tar: Tar, os: Option<&str>| {
        let mut out = Vec::new();
        roots(&tar.end().facts(), 0, os, MemberId(0), &mut out);
        out.iter().map(|finding| finding.rule.name).collect::<Vec<_>>()
    };
    let windows = || Tar::new().dir("Files").file("Files/a.exe", b"").dir("Hives");
    assert_eq!(of(windows(), Some("windows")), [""; 0]);
    assert_eq!(of(windows().file("b", b""), Some("windows")), ["entry/windows-root"]);
    assert_eq!(of(windows(), Some("linux")), ["entry/windows-layer"]);
    assert_eq!(of(windows(), None), ["entry/windows-layer"]);
    assert_eq!(of(windows().file("etc/a", b""), Some("linux")), [""; 0]);
}

#[test]
fn what_is_no_tar_is_called_what_it_is() {
    let mut out = Vec::new();
    layer(&Tar::new().bytes(&[&b"PK\x03\x04"[..], &[7; 2000]].concat()).facts(), 3, MemberId(0), &mut out);
    assert_eq!(out[0].message, "layer 3 is not a tar, but a zip file");
    assert_eq!(out[0].primary.location.at, At::entry("", 0));
}

#[test]
fn notes_are_told_once_with_their_places_and_errors_one_by_one() {
    let many = (0..20).fold(Tar::new(), |tar, i| {
        tar.entry(b'0', format!("f{i}").as_bytes(), "", b"", |h| h.set_mode(0o4755))
    });
    let mut out = Vec::new();
    layer(&many.end().facts(), 3, MemberId(0), &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(
        out[0].message,
        "`f0` in layer 3 runs as its owner or group (mode 4755); so it is with 19 more"
    );
    assert_eq!((out[0].related.len(), out[0].omitted), (15, 4));

    let many = (0..20).fold(Tar::new(), |tar, i| tar.file(&format!("../f{i}"), b""));
    let mut out = Vec::new();
    layer(&many.end().facts(), 3, MemberId(0), &mut out);
    assert_eq!((out.len(), out[15].omitted), (16, 4));
    assert_eq!(out[15].message, "`../f15` in layer 3 climbs above the root; so it is with 4 more");
}

#[test]
fn an_entry_is_no_second_place_of_its_own_fault() {
    let tar = crate::rules::fixture::Tar::default().file("usr/lib/x", b"").file("etc/y", b"").end();
    let spool = std::sync::Arc::new(crate::layer::Spool::in_directory(None));
    let mut scan = crate::layer::LayerScan::new(&crate::limits::Limits::default(), &spool);
    scan.push(&tar);
    let facts = scan.finish().expect("a spool");
    let found = crate::layer::stack::judge(&[&facts], &mut 1000).expect("a spool");
    let mut out = Vec::new();
    odd(&found, 0, MemberId(0), &mut out);
    let [finding] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(finding.rule.name, "entry/parent-missing");
    assert_eq!(finding.related.len(), 1, "{finding:?}");
}

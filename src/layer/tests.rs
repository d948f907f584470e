use std::sync::Arc;

use bstr::ByteSlice;

use super::evidence::{KEPT, Oddities};
use super::fixture::Tar;
use super::stack::{self, Judged};
use super::{Detail, LayerFacts, LayerScan, Oddity, Spool};
use crate::limits::Limits;

fn paths(odd: &Oddities, of: Oddity) -> Vec<String> {
    let seen = odd.of(of).map(|seen| &seen.first[..]).unwrap_or_default();
    seen.iter().map(|evidence| evidence.path.to_string()).collect()
}

/// What is odd about the topmost of these layers where it lies on the others.
fn stacked(layers: &[Tar]) -> Oddities {
    let spool = Arc::new(Spool::in_directory(None));
    let facts: Vec<LayerFacts> =
        layers.iter().map(|tar| tar.clone().end().facts_in(&spool, &Limits::default())).collect();
    stack::judge(&facts.iter().collect::<Vec<_>>(), &mut u64::MAX.clone()).expect("a spool")
}

#[test]
fn an_ordinary_layer_is_not_odd() {
    let tar = Tar::new()
        .dir("usr/")
        .dir("usr/bin/")
        .file("usr/bin/a", b"x")
        .hard("usr/bin/b", "usr/bin/a")
        .link("usr/bin/c", "a")
        .link("usr/bin/d", "../bin/a")
        .link("bin", "usr/bin")
        .file("usr/.wh.lib", b"")
        .file("usr/share.txt", b"")
        .end();
    let facts = tar.facts();
    assert!(facts.odd.is_empty(), "{:?}", facts.odd);
    assert_eq!(facts.entries, 9);
}

#[test]
fn paths_are_compared_as_they_are_cleaned() {
    let tar = Tar::new().file("a", b"").file("./a", b"").dir("b").dir("b/").file("/c", b"").end();
    assert_eq!(paths(&tar.facts().odd, Oddity::DuplicatePath), ["./a", "b/"], "as they are written");
}

#[test]
fn duplicates_name_the_first_and_are_counted_beyond_those_kept() {
    let mut tar = Tar::new();
    for _ in 0..100 {
        tar = tar.file("a", b"");
    }
    let facts = tar.end().facts();
    let seen = facts.odd.of(Oddity::DuplicatePath).expect("found");
    assert_eq!((seen.total, seen.first.len()), (99, KEPT - 1));
    assert_eq!(seen.first[0].offset, 512);
    assert_eq!(seen.first[0].detail, Detail::Other { offset: 0, path: "a".into() });
}

#[test]
fn everything_above_an_entry_is_looked_at() {
    // The link is two levels up, and the directory between them has no entry.
    let tar = Tar::new().link("a", "/tmp").file("a/b/c", b"").end();
    assert_eq!(paths(&tar.facts().odd, Oddity::BelowLink), ["a/b/c"]);
    let tar = Tar::new().dir("x/").link("x/a", "../../..").file("x/a/b/c", b"").end();
    assert_eq!(paths(&tar.facts().odd, Oddity::BelowEscapingLink), ["x/a/b/c"]);
    let tar = Tar::new().file("a", b"").file("a/b", b"").end();
    assert_eq!(paths(&tar.facts().odd, Oddity::BelowFile), ["a/b"]);
    // Names that only begin alike are not above.
    let tar = Tar::new().link("a", "/tmp").file("ab/c", b"").file("a.d/c", b"").end();
    assert_eq!(paths(&tar.facts().odd, Oddity::BelowLink), [""; 0]);
}

#[test]
fn every_directory_is_seen_whatever_came_before_it() {
    for order in [["d/e/f", "d/ee/f", "d/f"], ["d/ee/f", "d/e/f", "d/f"], ["d/f", "d/e/f", "d/ee/f"]] {
        let mut tar = Tar::new();
        for path in order {
            tar = tar.file(path, b"");
        }
        let found = stacked(&[tar]);
        assert_eq!(found.of(Oddity::ParentMissing).map(|seen| seen.total), Some(3), "{order:?}");
    }
}

#[test]
fn hard_links_need_a_file_before_them() {
    let missing = |tar: Tar| paths(&stacked(&[tar]), Oddity::HardLinkTargetMissing);
    assert_eq!(missing(Tar::new().file("a", b"").hard("b", "a")), [""; 0]);
    assert_eq!(missing(Tar::new().file("a", b"").hard("b", "/a").hard("c", "./b")), [""; 0]);
    assert_eq!(missing(Tar::new().hard("b", "a").file("a", b"")), ["b"]);
    assert_eq!(missing(Tar::new().hard("b", "nowhere")), ["b"]);
    let cycle = Tar::new().hard("a", "b").hard("b", "a");
    assert_eq!(missing(cycle), ["a"]);
    let own = Tar::new().hard("a", "a").end().facts();
    assert_eq!(paths(&own.odd, Oddity::HardLinkTargetMissing), ["a"]);
    let directory = Tar::new().dir("d/").hard("b", "d").end().facts();
    assert_eq!(paths(&directory.odd, Oddity::HardLinkToDirectory), ["b"]);
}

#[test]
fn the_target_of_a_missing_link_is_told() {
    let odd = stacked(&[Tar::new().hard("b", "no/where")]);
    let seen = odd.of(Oddity::HardLinkTargetMissing).expect("found");
    assert_eq!(seen.first[0].detail, Detail::Text("no/where".into()));
}

#[test]
fn hard_links_reach_into_lower_layers_until_something_takes_the_target_away() {
    let base = Tar::new().dir("d/").file("d/a", b"");
    let other = Tar::new().file("x", b"");
    let link = Tar::new().hard("b", "d/a");
    let missing = |layers: &[&Tar]| {
        let layers: Vec<Tar> = layers.iter().map(|tar| (*tar).clone()).collect();
        !paths(&stacked(&layers), Oddity::HardLinkTargetMissing).is_empty()
    };
    assert!(!missing(&[&base, &link]));
    assert!(!missing(&[&base, &other, &link]));
    assert!(missing(&[&other, &link]));
    assert!(missing(&[&base, &Tar::new().file("d/.wh.a", b""), &link]));
    assert!(missing(&[&base, &Tar::new().file(".wh.d", b""), &link]));
    assert!(missing(&[&base, &Tar::new().file("d/.wh..wh..opq", b""), &link]));
    assert!(missing(&[&base, &Tar::new().file("d", b""), &link]));
    assert!(!missing(&[&base, &Tar::new().file(".wh.d", b""), &base, &link]));
    let to_directory = stacked(&[base, Tar::new().hard("b", "d")]);
    assert_eq!(paths(&to_directory, Oddity::HardLinkToDirectory), ["b"]);
}

#[test]
fn what_a_layer_takes_away_itself_its_hard_links_cannot_reach() {
    let base = Tar::new().file("d/a", b"");
    let missing = |top: Tar| !paths(&stacked(&[base.clone(), top]), Oddity::HardLinkTargetMissing).is_empty();
    assert!(!missing(Tar::new().hard("b", "d/a")));
    assert!(missing(Tar::new().file(".wh.d", b"").hard("b", "d/a")));
    assert!(missing(Tar::new().file("d/.wh..wh..opq", b"").hard("b", "d/a")));
    assert!(missing(Tar::new().file(".wh..wh..opq", b"").hard("b", "d/a")), "all of the root");
    let own = Tar::new().file("d/.wh.a", b"").hard("b", "d/a").end().facts();
    assert_eq!(paths(&own.odd, Oddity::HardLinkTargetMissing), ["b"]);
    let root = [base.clone(), Tar::new().file(".wh..wh..opq", b""), Tar::new().hard("b", "d/a")];
    assert_eq!(paths(&stacked(&root), Oddity::HardLinkTargetMissing), ["b"]);
}

#[test]
fn what_lower_layers_left_is_no_directory_for_an_entry() {
    let over = |layers: &[Tar]| {
        let odd = stacked(layers);
        let kinds = [Oddity::BelowLowerFile, Oddity::BelowLowerLink, Oddity::BelowLowerEscapingLink];
        kinds.map(|kind| odd.of(kind).map_or(0, |seen| seen.total))
    };
    let top = || Tar::new().file("d/a/x", b"");
    assert_eq!(over(&[Tar::new().file("d/a", b""), top()]), [1, 0, 0]);
    assert_eq!(over(&[Tar::new().dir("d/a"), top()]), [0, 0, 0]);
    assert_eq!(over(&[Tar::new().link("d/a", "b"), top()]), [0, 1, 0]);
    assert_eq!(over(&[Tar::new().link("d/a", "../../b"), top()]), [0, 0, 1]);
    // Something between took it away, or made it a directory.
    for between in ["d/.wh.a", ".wh.d", "d/.wh..wh..opq", ".wh..wh..opq", "d/a/y"] {
        let layers = [Tar::new().file("d/a", b""), Tar::new().file(between, b""), top()];
        assert_eq!(over(&layers), [0, 0, 0], "{between}");
        let own = Tar::new().file(between, b"").file("d/a/x", b"");
        if between != "d/a/y" {
            assert_eq!(over(&[Tar::new().file("d/a", b""), own]), [0, 0, 0], "own {between}");
        }
    }
}

#[test]
fn a_link_near_the_root_is_seen_below_any_number_of_directories() {
    let deep = |name: &str| format!("a/{}{name}", "b/".repeat(300));
    let tar = Tar::new().link("a", "../../..").pax(&[("path", &deep("x"))]).file("x", b"").end().facts();
    assert_eq!(tar.odd.of(Oddity::BelowEscapingLink).map(|seen| seen.total), Some(1));
    assert!(tar.odd.of(Oddity::NotJudged).is_some());
}

#[test]
fn of_several_links_at_one_path_the_worst_counts() {
    for links in [["b", "../../x"], ["../../x", "b"]] {
        let tar = Tar::new().link("a", links[0]).link("a", links[1]).file("a/f", b"").end().facts();
        assert!(tar.odd.of(Oddity::BelowEscapingLink).is_some(), "{links:?}");
    }
}

#[test]
fn lookups_and_paths_are_bounded() {
    let spool = Arc::new(Spool::in_directory(None));
    let base = Tar::new().file("a", b"").end().facts_in(&spool, &Limits::default());
    let top = Tar::new().hard("b", "x").hard("c", "y").end().facts_in(&spool, &Limits::default());
    // Two targets, and twice the root above them.
    for (lookups, judged) in [(4, true), (3, false)] {
        let odd = stack::judge(&[&base, &top], &mut { lookups }).expect("a spool");
        assert_eq!(odd.of(Oddity::NotJudged).is_none(), judged, "{lookups}");
        assert_eq!(odd.of(Oddity::HardLinkTargetMissing).is_some(), judged, "{lookups}");
    }
    let tar = Tar::new().file("a", b"").file("b", b"").end();
    let limits = |layer_paths| Limits { layer_paths, ..Limits::default() };
    assert!(tar.facts_in(&spool, &limits(2)).odd.is_empty());
    assert!(tar.facts_in(&spool, &limits(1)).odd.of(Oddity::NotJudged).is_some());
}

#[test]
fn which_places_are_kept_does_not_depend_on_the_hashes() {
    let tar = || (0..200).fold(Tar::new(), |tar, i| tar.hard(&format!("l{i}"), &format!("d{i}/x/y")));
    assert_eq!(stacked(&[Tar::new(), tar()]), stacked(&[Tar::new(), tar()]));
}

#[test]
fn targets_of_hard_links_that_lead_through_symbolic_links() {
    let of = |layers: &[Tar]| {
        let odd = stacked(layers);
        let kinds = [Oddity::HardLinkThroughLink, Oddity::HardLinkToLower, Oddity::HardLinkTargetMissing];
        kinds.map(|kind| odd.of(kind).map_or(0, |seen| seen.total))
    };
    let base = || Tar::new().file("usr/x", b"").link("lib", "usr");
    assert_eq!(of(&[base().hard("b", "lib/x")]), [1, 0, 0]);
    assert_eq!(of(&[base(), Tar::new().hard("b", "lib/x")]), [1, 0, 0]);
    assert_eq!(of(&[base(), Tar::new().hard("b", "usr/x")]), [0, 1, 0]);
    assert_eq!(of(&[base(), Tar::new().hard("b", "usr/y")]), [0, 0, 1]);
    assert_eq!(of(&[base().file("lib/y", b"").hard("b", "lib/y")]), [0, 0, 0], "as it is written");
}

#[test]
fn whiteouts_are_judged_by_what_is_below_them() {
    let base = Tar::new().file("d/a", b"").file("e", b"");
    let over = |top: Tar| stacked(&[base.clone(), top]);
    assert!(over(Tar::new().file("d/.wh.a", b"").file(".wh.e", b"")).is_empty());
    // `d` has no entry of its own, but something is in it.
    assert!(over(Tar::new().file(".wh.d", b"")).is_empty());
    assert_eq!(paths(&over(Tar::new().file("d/.wh.b", b"")), Oddity::UselessWhiteout), ["d/.wh.b"]);
    let twice = stacked(&[base.clone(), Tar::new().file(".wh.e", b""), Tar::new().file(".wh.e", b"")]);
    for taken in
        [Tar::new().file(".wh.d", b""), Tar::new().file("d", b""), Tar::new().file("d/.wh..wh..opq", b"")]
    {
        let again = stacked(&[base.clone(), taken, Tar::new().dir("d").file("d/.wh.a", b"")]);
        assert_eq!(paths(&again, Oddity::UselessWhiteout), ["d/.wh.a"], "it went with its directory");
    }
    assert_eq!(paths(&twice, Oddity::UselessWhiteout), [".wh.e"]);
    let alone = stacked(&[Tar::new().file(".wh.e", b"")]);
    assert_eq!(paths(&alone, Oddity::WhiteoutInBase), [".wh.e"]);
    assert_eq!(paths(&alone, Oddity::UselessWhiteout), [""; 0]);
    let opaque = stacked(&[Tar::new().file(".wh..wh..opq", b"")]);
    assert_eq!(paths(&opaque, Oddity::WhiteoutInBase), [".wh..wh..opq"]);
    assert!(over(Tar::new().file(".wh..wh..opq", b"")).is_empty());
}

#[test]
fn whiteouts_within_their_layer() {
    let odd = |tar: Tar| tar.end().facts().odd;
    let own = odd(Tar::new().file("x", b"").file(".wh.x", b""));
    assert_eq!(paths(&own, Oddity::WhiteoutOfOwnPath), [".wh.x"]);
    let below = odd(Tar::new().file(".wh.d", b"").file("d/a", b""));
    assert_eq!(paths(&below, Oddity::WhiteoutOfOwnPath), [".wh.d"]);
    // First the whiteout, then the path anew, then what is in it.
    assert!(odd(Tar::new().file(".wh.d", b"").dir("d").file("d/a", b"")).is_empty());
    assert!(odd(Tar::new().file(".wh.d", b"").file("d", b"")).is_empty());
    for order in [["d/", ".wh.d", "d/a"], ["d/", "d/a", ".wh.d"], [".wh.d", "d/a", "d/"]] {
        let tar = order.iter().fold(Tar::new(), |tar, path| match path.ends_with('/') {
            true => tar.dir(path),
            false => tar.file(path, b""),
        });
        assert_eq!(paths(&odd(tar), Oddity::WhiteoutOfOwnPath), [".wh.d"], "{order:?}");
    }
    let beside = odd(Tar::new().file("d/.wh.a", b"").file("d/.wh..wh..opq", b""));
    assert_eq!(paths(&beside, Oddity::RedundantWhiteout), ["d/.wh.a"]);
    // Of lower layers it hides all, of its own nothing.
    assert!(odd(Tar::new().file("d/.wh..wh..opq", b"").file("d/a", b"")).is_empty());
    for name in [".wh.", "d/.wh..", ".wh..."] {
        assert_eq!(paths(&odd(Tar::new().file(name, b"")), Oddity::WhiteoutBadName), [name]);
    }
    assert!(odd(Tar::new().file(".wh..x", b"")).is_empty(), "hides .x");
}

#[test]
fn folded_paths_collide_once() {
    let odd = |tar: Tar| paths(&tar.end().facts().odd, Oddity::CaseCollision);
    assert_eq!(odd(Tar::new().file("Makefile", b"").file("makefile", b"")), ["makefile"]);
    assert_eq!(odd(Tar::new().file("a/B", b"").file("A/b", b"")), ["A/b"]);
    assert_eq!(odd(Tar::new().file("A", b"").file("A", b"")), [""; 0]);
    assert_eq!(odd(Tar::new().file("e\u{301}", b"").file("\u{e9}", b"")), ["\u{e9}"]);
    assert_eq!(odd(Tar::new().file("A", b"").file("b", b"")), [""; 0]);
}

#[test]
fn a_tar_that_breaks_off_is_told_with_its_place() {
    let mut tar = Tar::new().file("a", b"abc").file("b", &[1; 600]);
    tar.0.truncate(512 * 3 + 100);
    let facts = tar.facts();
    let seen = facts.odd.of(Oddity::Truncated).expect("found");
    assert_eq!(seen.first[0].offset, 1024);
    assert_eq!(seen.first[0].detail, Detail::Short { needed: 600, have: 100 });
    assert_eq!(
        Tar::new().bytes(&[7; 2000]).facts().odd.of(Oddity::BadHeader).expect("no tar").first[0].offset,
        0
    );
}

#[test]
fn what_is_no_tar_is_called_by_its_magic() {
    let of = |bytes: &[u8], oddity| {
        Tar::new().bytes(bytes).facts().odd.of(oddity).map(|seen| seen.first[0].detail.clone())
    };
    let text = |what: &str| Some(Detail::Text(what.into()));
    let lz4 = [&b"\x04\x22\x4d\x18"[..], &[7; 2000]].concat();
    assert_eq!(of(&lz4, Oddity::BadHeader), text("an lz4 stream"));
    assert_eq!(of(&lz4[..20], Oddity::Truncated), text("an lz4 stream"));
    assert_eq!(of(b"PK\x03\x04", Oddity::Truncated), text("a zip file"));
    assert_eq!(of(&[7; 2000], Oddity::BadHeader), Some(Detail::Nothing));
    // A name may begin like anything.
    assert_eq!(Tar::new().file("BZh", b"").end().facts().odd.of(Oddity::BadHeader), None);
}

#[test]
fn entries_beyond_the_limit_are_counted_and_not_looked_at() {
    let tar = |n: usize| (0..n).fold(Tar::new(), |tar, i| tar.file(&i.to_string(), b"")).end();
    let limits = |entries| Limits { entries, ..Limits::default() };
    let spool = Arc::new(Spool::in_directory(None));
    assert!(tar(5).facts_in(&spool, &limits(5)).odd.is_empty());
    let over = tar(6).facts_in(&spool, &limits(5));
    assert_eq!((over.entries, paths(&over.odd, Oddity::TooManyEntries)), (5, vec!["5".to_owned()]));
}

#[test]
fn images_share_what_was_judged_of_their_base() {
    let mut judged = Judged::default();
    let (base, first) = judged.lies_on(Judged::BASE, 7);
    assert!(first);
    assert_eq!(judged.lies_on(Judged::BASE, 7), (base, false));
    assert!(judged.lies_on(base, 7).1, "the same layer upon itself");
    assert!(judged.lies_on(Judged::BASE, 8).1);
}

/// A million entries, more records than a run and more tables than the allowance.
#[test]
fn a_layer_of_many_entries_goes_through_the_file() {
    let spool = Arc::new(Spool::new(None, 1 << 20));
    let mut scan = LayerScan::new(&Limits::default(), &spool);
    let mut one = Tar::new();
    for i in 0..200_000u32 {
        one.0.clear();
        one = one.file(&format!("dir-{}/file-{i}", i / 50), b"");
        scan.push(&one.0);
    }
    let tail = Tar::new().file("dir-7/file-350", b"").hard("late", "dir-3999/file-199999").end();
    scan.push(&tail.0);
    let facts = scan.finish().expect("a spool");
    assert_eq!(facts.entries, 200_002);
    assert_eq!(paths(&facts.odd, Oddity::DuplicatePath), ["dir-7/file-350"]);
    let stack = stack::judge(&[&facts], &mut u64::MAX.clone()).expect("a spool");
    let missing = stack.of(Oddity::ParentMissing).expect("found");
    assert_eq!((missing.total, missing.first[0].path.as_bstr()), (4000, "dir-0/file-0".into()));
    assert_eq!(stack.of(Oddity::HardLinkTargetMissing), None);
}

#[test]
fn links_that_climb_through_others() {
    let odd = |tar: Tar| tar.end().facts().odd;
    // What lies below may come before the links.
    let found = odd(Tar::new().file("b/x", b"").link("b", "a/a/../../x").link("a", "."));
    assert_eq!(paths(&found, Oddity::EscapingSymlink), ["b"]);
    assert_eq!(paths(&found, Oddity::BelowEscapingLink), ["b/x"]);
    assert_eq!(paths(&found, Oddity::BelowLink), [""; 0]);
    let harmless = odd(Tar::new().dir("c").link("b", "a/a/../../x").link("a", "c").file("b/x", b""));
    assert_eq!(paths(&harmless, Oddity::EscapingSymlink), [""; 0]);
    assert_eq!(paths(&harmless, Oddity::BelowLink), ["b/x"]);
}

#[test]
fn what_lies_below_a_chain_of_links() {
    let chain = Tar::new().link("p/s", "..").link("m", "p/s").link("z", "m/../x").file("z/evil", b"");
    assert_eq!(paths(&chain.end().facts().odd, Oddity::BelowEscapingLink), ["z/evil"]);
    let second = Tar::new().link("e", "../..").link("m", "e").file("m/evil", b"");
    assert_eq!(paths(&second.end().facts().odd, Oddity::BelowEscapingLink), ["m/evil"]);
    let mut many = Tar::new();
    for i in 0..2000 {
        many = many.link(&format!("l{i}"), "d/../d");
    }
    let hidden = many.link("up", ".").link("z", "up/../x").file("z/evil", b"");
    assert_eq!(paths(&hidden.end().facts().odd, Oddity::BelowEscapingLink), ["z/evil"]);
}

#[test]
fn an_absolute_link_that_climbs_at_its_start() {
    let found = Tar::new().link("a", "/../x").link("b", "/x").end().facts().odd;
    assert_eq!(paths(&found, Oddity::EscapingSymlink), ["a"]);
    assert_eq!(paths(&found, Oddity::AbsoluteSymlink), ["b"]);
}

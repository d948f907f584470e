//! Which room of `src/` may import which (`docs/architecture.md#rooms`), held against every path that the sources write.
//!
//! A room is a folder or file of `src/`. Names are followed through re-exports to the file that defines them, so a list of
//! names in a `mod.rs` binds nobody to anything. Tests may import what they like. rustfmt holds every source to one shape,
//! which makes the reading simple.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// What knows no archive: each of these is one subject.
pub const GROUND: &str =
    "colour digest error escape json limits media platform progress reference similar time";

/// What a room may import beside the ground and itself. A room that is not here has no place in the house.
pub const ROOMS: &[(&str, &str)] = &[
    ("location", ""),
    ("tar", ""),
    ("codec", ""),
    ("schema", ""),
    ("staging", ""),
    ("pem", ""),
    ("http", "pem"),
    ("messages", ""),
    ("store", "http"),
    ("distribution", "http"),
    ("finding", "location"),
    ("blob", "codec tar"),
    ("layer", "tar"),
    ("source", "location tar blob codec staging store distribution"),
    ("model", "source location"),
    ("inventory", "model source location"),
    ("facts", "blob layer model location"),
    // Of blob, codec, layer, source and tar the types of their facts.
    ("rules", "model facts finding schema location blob codec layer source tar"),
    ("form", "model source staging store distribution location codec tar"),
    ("read", "model source blob codec layer facts location"),
    ("render", "finding location"),
    ("inspect", "model layer facts source location"),
    ("compare", "read facts rules finding model layer source location"),
    ("jobs", ""),
    ("check", "read rules finding facts model layer source location"),
    ("convert", "read rules finding facts inventory model layer source location form blob codec staging"),
    ("repair", "form store distribution source model location facts read"),
    ("compose", "convert form model source location"),
    ("scrub", "read form rules finding facts model layer source location blob codec store"),
    ("serve", "convert form model source location pem"),
    ("page", "render finding inspect compare convert check layer location"),
    (
        "library",
        "location tar codec schema staging http messages store distribution finding blob layer source model inventory facts \
         rules form read render inspect compare check convert repair compose scrub serve page",
    ),
    (
        "lib",
        "library location tar codec schema staging http messages store distribution finding blob layer source model facts rules form \
         read render inspect compare check convert repair compose scrub serve page",
    ),
    ("cli", "lib"),
    ("main", "cli"),
];

/// A file of `src/`: its path in it, its module, and its code without comments and tests.
struct Source {
    path: String,
    module: Vec<String>,
    code: String,
    /// What it calls by another path: name and written path, of every `use`.
    uses: Vec<Use>,
}

/// One name of a `use` statement.
#[derive(Clone)]
struct Use {
    path: Vec<String>,
    /// The name that it has here; `*` for all.
    name: String,
    /// Whether others may take it from here.
    public: bool,
}

struct House(BTreeMap<Vec<String>, Source>);

/// Every source with its path below `src/`.
pub fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of src") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                let below = path.strip_prefix(&root).expect("below src").to_str().expect("UTF-8").to_owned();
                files.push((below, text));
            }
        }
    }
    files
}

/// The code of every source without comments, string literals and tests.
pub fn production() -> Vec<(String, String)> {
    House::read().0.into_values().map(|source| (source.path, source.code)).collect()
}

impl House {
    fn read() -> House {
        House::of(sources())
    }

    fn of(files: Vec<(String, String)>) -> House {
        let mut tests = BTreeSet::new();
        let mut sources = Vec::new();
        for (path, text) in files {
            let module = module_of(&path);
            let (code, only_tests) = without_tests(&text);
            tests.extend(only_tests.into_iter().map(|name| [&module[..], &[name]].concat()));
            let uses = uses(&code);
            sources.push((module.clone(), Source { path, module, code, uses }));
        }
        let exempt = |module: &Vec<String>| (1..=module.len()).any(|n| tests.contains(&module[..n]));
        House(sources.into_iter().filter(|(module, _)| !exempt(module)).collect())
    }

    /// The file that defines what a path written in `from` leads to; `None` if that is another crate's.
    fn file(&self, from: &[String], path: &[String], depth: usize) -> Option<&Source> {
        let mut module = from.to_vec();
        let mut rest = path;
        if let Some(lib) = self.given_by_lib(path) {
            return Some(lib);
        }
        match path.first().map(String::as_str) {
            Some("crate" | "restow") => (module, rest) = (Vec::new(), &path[1..]),
            Some("self") => rest = &path[1..],
            Some("super") => {
                while rest.first().is_some_and(|part| part == "super") {
                    module.pop();
                    rest = &rest[1..];
                }
            }
            Some(first) if self.0.contains_key(&[from, &[first.to_owned()]].concat()) => {}
            _ => return None,
        }
        self.definition(from, module, rest, depth)
    }

    /// `lib.rs`, if it is what gives a name to other programs: who takes it from there sees no room behind it.
    fn given_by_lib(&self, path: &[String]) -> Option<&Source> {
        let [first, name, more @ ..] = path else { return None };
        let lib = self.0.get(&Vec::new()).filter(|_| first == "crate" || first == "restow")?;
        // A name that a module and an item share: what follows tells which is meant.
        let module = !more.is_empty() && self.0.contains_key(&vec![name.clone()]);
        let given = |used: &Use| {
            used.public && (used.name == *name || used.name == "*" && self.gives(&used.path, name))
        };
        (!module && lib.uses.iter().any(given)).then_some(lib)
    }

    /// Whether the public names of a module have this one among them.
    fn gives(&self, module: &[String], name: &str) -> bool {
        self.0
            .get(module)
            .is_some_and(|source| source.uses.iter().any(|used| used.public && used.name == name))
    }

    fn definition(
        &self,
        from: &[String],
        mut module: Vec<String>,
        mut rest: &[String],
        depth: usize,
    ) -> Option<&Source> {
        while let Some((name, more)) = rest.split_first() {
            let here = self.0.get(&module)?;
            let used = here
                .uses
                .iter()
                .find(|used| used.name == *name && (used.public || from.starts_with(&module)));
            let below = [&module[..], std::slice::from_ref(name)].concat();
            match used {
                // A name that a module and an item share: what follows tells which is meant.
                Some(used) if more.is_empty() || !self.0.contains_key(&below) => {
                    if depth > 8 {
                        return None;
                    }
                    let path = [&used.path[..], more].concat();
                    return self.file(&module, &path, depth + 1);
                }
                _ if self.0.contains_key(&below) => (module, rest) = (below, more),
                _ => break,
            }
        }
        self.0.get(&module)
    }

    /// Every file with the files that it imports.
    fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for source in self.0.values() {
            let lists = |used: &&Use| !(used.public && self.is_below(&source.module, used));
            let used = source.uses.iter().filter(lists).map(|used| used.path.clone());
            let to = used.chain(inline(&source.code)).filter_map(|path| self.file(&source.module, &path, 0));
            let to = to.map(|to| to.path.as_str()).filter(|to| *to != source.path);
            found.entry(&source.path).or_default().extend(to);
        }
        found
    }

    /// Whether a name that a module gives to others is defined in one of its own.
    fn is_below(&self, module: &[String], used: &Use) -> bool {
        let target = self.file(module, &used.path, 0);
        target.is_some_and(|target| target.module.len() > module.len() && target.module.starts_with(module))
    }
}

/// The module that a file is.
pub fn module_of(path: &str) -> Vec<String> {
    let stem = path.trim_end_matches(".rs");
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if stem == "lib" { Vec::new() } else { stem.split('/').map(str::to_owned).collect() }
}

/// The code of a source without comments, string literals and tests, and the files that are only tests.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let mut code = String::new();
    let mut only = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == "#[cfg(test)]" {
            let indent = line.len() - line.trim_start().len();
            let item = lines.by_ref().find(|line| !line.trim_start().starts_with("#[")).unwrap_or_default();
            let words = item.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            match words.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                Some(name) => only.push(name.to_owned()),
                None if item.ends_with(['{', '(']) => {
                    let end = |line: &&str| line.len() > indent && line[indent..].starts_with(['}', ')']);
                    lines.by_ref().take_while(|line| !end(line)).for_each(drop);
                }
                None => {}
            }
            continue;
        }
        let line = line.split("//").next().unwrap_or_default();
        // The path in a visibility says who may import, not what is imported.
        for (nth, part) in line.split("pub(in ").enumerate() {
            let part = if nth > 0 { part.split_once(')').map_or("", |(_, rest)| rest) } else { part };
            code.push_str(if nth > 0 { "pub" } else { "" });
            code.extend(part.split('"').step_by(2));
        }
        code.push('\n');
    }
    (code, only)
}

/// Every name that `use` statements take.
fn uses(code: &str) -> Vec<Use> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let line = rest[..at].rfind('\n').map_or(0, |end| end + 1);
        let before = rest[line..at].trim();
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
        if before.is_empty() || before.starts_with("pub") && !before.contains('=') {
            tree(&rest[at + 4..end], &[], !before.is_empty(), &mut found);
        }
        rest = &rest[end.min(rest.len())..];
        rest = rest.get(1..).unwrap_or_default();
    }
    found
}

fn tree(text: &str, before: &[String], public: bool, found: &mut Vec<Use>) {
    let text = text.trim();
    if let Some((head, group)) = text.split_once('{') {
        let parts = head.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
        let path: Vec<String> = before.iter().cloned().chain(parts).collect();
        let group = group.trim_end().trim_end_matches('}');
        let (mut depth, mut start) = (0, 0);
        for (at, byte) in group.bytes().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b',' if depth == 0 => {
                    tree(&group[start..at], &path, public, found);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return tree(&group[start..], &path, public, found);
    }
    if text.is_empty() {
        return;
    }
    let (path, alias) = text.split_once(" as ").map_or((text, None), |(path, alias)| (path, Some(alias)));
    let parts = path.split("::").map(|part| part.trim().to_owned());
    let mut path: Vec<String> = before.iter().cloned().chain(parts).collect();
    let last = path.last().cloned().unwrap_or_default();
    if last == "self" || last == "*" {
        path.pop();
    }
    let own = if last == "self" { path.last().cloned().unwrap_or_default() } else { last };
    found.push(Use { path, name: alias.map_or(own, |alias| alias.trim().to_owned()), public });
}

/// Every path of more than one name, outside of `use` statements too.
fn inline(code: &str) -> Vec<Vec<String>> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let in_use = |line: &&str| !line.trim_start().trim_start_matches("pub ").starts_with("use ");
    for line in code.lines().filter(in_use) {
        for path in line.split(|c: char| !word(c) && c != ':').filter(|path| path.contains("::")) {
            let parts = path.split("::").map(|part| part.trim_matches(':').to_owned());
            found.push(parts.filter(|part| !part.is_empty()).collect());
        }
    }
    found
}

/// The room that a file is in: below `jobs` each folder is one.
pub fn room(path: &str) -> &str {
    let below = path.strip_prefix("jobs/").filter(|below| *below != "mod.rs").unwrap_or(path);
    below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
}

fn may(from: &str, to: &str) -> bool {
    let ground = |room: &str| GROUND.split(' ').any(|own| own == room);
    let row = ROOMS.iter().find(|(room, _)| *room == from).map_or("", |(_, may)| may);
    from == to || ground(to) || !ground(from) && row.split_whitespace().any(|own| own == to)
}

/// What every file imports although the table forbids it, one line a file.
fn forbidden(imports: &BTreeMap<&str, BTreeSet<&str>>) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in imports {
        for to in to.iter().map(|to| room(to)).filter(|to| !may(room(from), to)) {
            found.entry((*from).to_owned()).or_default().insert(to.to_owned());
        }
    }
    found
}

/// What an entry imports, and what that imports in turn.
fn reach<'a>(graph: &'a BTreeMap<String, BTreeSet<String>>, from: &'a str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut pending: Vec<&str> = vec![from];
    while let Some(entry) = pending.pop() {
        let next = graph.get(entry).into_iter().flatten().map(String::as_str);
        pending.extend(next.filter(|entry| seen.insert(*entry)));
    }
    seen
}

/// Groups of entries of one folder that import each other: a circle of files is one in the folder that holds them all.
fn circles(imports: &BTreeMap<&str, BTreeSet<&str>>) -> BTreeSet<String> {
    let mut folders: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (from, to) in imports {
        for to in to {
            let (a, b): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
            let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            let entries = folders.entry(a[..same].join("/")).or_default();
            entries.entry(a[same].to_owned()).or_default().insert(b[same].to_owned());
        }
    }
    let mut found = BTreeSet::new();
    for (folder, graph) in &folders {
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            graph.keys().map(|from| (from.as_str(), reach(graph, from))).collect();
        for (entry, to) in reached.iter().filter(|(entry, to)| to.contains(*entry)) {
            let group = to
                .iter()
                .copied()
                .filter(|other| reached.get(other).is_some_and(|back| back.contains(entry)));
            let group: Vec<&str> = group.collect();
            found.insert(format!("{folder}: {}", group.join(" ")));
        }
    }
    found
}

#[test]
fn every_room_has_a_place() {
    let house = House::read();
    let known =
        |room: &str| ROOMS.iter().any(|(own, _)| *own == room) || GROUND.split(' ').any(|own| own == room);
    let strangers: BTreeSet<&str> =
        house.0.values().map(|source| room(&source.path)).filter(|room| !known(room)).collect();
    assert!(strangers.is_empty(), "not in the table of rooms: {strangers:?}");
    assert!(house.0.len() > 150, "only {} files were found: is the reading right?", house.0.len());
    let edges: usize = house.imports().values().map(BTreeSet::len).sum();
    assert!(edges > 800, "only {edges} imports were found: is the reading right?");
}

#[test]
fn the_table_has_no_circle() {
    for (index, (room, may)) in ROOMS.iter().enumerate() {
        for other in may.split_whitespace() {
            let place = ROOMS.iter().position(|(own, _)| *own == other);
            assert!(
                place.is_some_and(|place| place < index),
                "{room} may import {other}, which is not below it"
            );
        }
    }
}

#[test]
fn rooms_import_what_they_may() {
    let house = House::read();
    let found = forbidden(&house.imports());
    let mut list = String::new();
    for (file, rooms) in &found {
        let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
        let _ = writeln!(list, "    {file}: {}", rooms.join(" "));
    }
    assert!(found.is_empty(), "what the table forbids is:\n{list}");
}

#[test]
fn nothing_imports_in_a_circle() {
    let found = circles(&House::read().imports());
    assert!(found.is_empty(), "circles are: {found:#?}");
}

#[test]
fn imports_are_seen_however_they_are_written() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let house = House::of(vec![
        file("lib.rs", "pub mod a;\npub mod b;\n"),
        file("a/mod.rs", "mod x;\n#[cfg(test)]\nmod t;\npub use x::{X, y as z};\nfn f() { x::g(); }\n"),
        file(
            "a/x.rs",
            "//! [`crate::b`]\npub struct X;\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n",
        ),
        file("a/t.rs", "use crate::b::B;\n"),
        file("b/mod.rs", "pub mod p;\npub mod q;\npub mod r;\npub mod s;\n"),
        file("b/p.rs", "use crate::{a::{self, X}, b::q};\n"),
        file("b/q.rs", "use super::r::*;\n"),
        file("b/r.rs", "fn f() -> crate::a::z { super::super::b::p::f(\"crate::b::s\") }\n"),
        file("b/s.rs", "pub(crate) use crate::a::X;\n"),
    ]);
    let imports = house.imports();
    let of = |file: &str| imports[file].iter().copied().collect::<Vec<_>>();
    assert_eq!(of("a/mod.rs"), ["a/x.rs"], "a call, not the list of names");
    assert_eq!(of("a/x.rs"), [""; 0], "neither pages nor tests");
    assert_eq!(of("b/p.rs"), ["a/mod.rs", "a/x.rs", "b/q.rs"]);
    assert_eq!(of("b/q.rs"), ["b/r.rs"]);
    assert_eq!(of("b/r.rs"), ["a/x.rs", "b/p.rs"]);
    assert_eq!(of("b/s.rs"), ["a/x.rs"], "another room's name is an import even where it is given on");
    assert!(!imports.contains_key("a/t.rs"));
    assert_eq!(circles(&imports), BTreeSet::from(["b: p.rs q.rs r.rs".to_owned()]));
}

#[test]
fn an_import_that_is_turned_round_is_seen() {
    for (file, line, room) in [
        ("json/parse.rs", "use crate::model::Archive;", "model"),
        ("model/build.rs", "use crate::rules::Policy;", "rules"),
        ("render/human.rs", "fn f() { crate::form::open(); }", "form"),
    ] {
        let mut house = House::read();
        let source = house.0.values_mut().find(|source| source.path == file).expect("a file");
        source.code.push_str(line);
        source.uses = uses(&source.code);
        let imports = house.imports();
        let found = forbidden(&imports);
        assert!(found.get(file).is_some_and(|rooms| rooms.contains(room)), "{file}: {room}");
    }
}

/// Lines of a source before its tests.
fn lines(text: &str) -> usize {
    text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count()
}

/// Why a source is long: what its first page says behind this.
const LONG: &str = "//! Long because ";

#[test]
fn a_long_file_says_why() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let (long, says) = (lines(&text) > 500, text.lines().any(|line| line.starts_with(LONG)));
        if long != says && !path.ends_with("tests.rs") {
            wrong.push(format!(
                "{path}: {} lines, {}",
                lines(&text),
                if says { "and says why" } else { "no reason" }
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "above 500 lines before its tests a source says `{LONG}`, and no other does: {wrong:#?}"
    );
    assert_eq!(lines("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
}

/// Where folders are made with all that are above them. Within what is staged that would bring back a tree that a signal has
/// removed, and so it is done by `staging::folder`, while that is kept waiting; the others are below a folder that is held
/// open, or somebody's own.
const FOLDERS: [(&str, bool); 3] =
    [("form/mend/mod.rs", false), ("form/write/existing.rs", false), ("staging.rs", true)];

#[test]
fn what_a_signal_removes_is_not_made_again() {
    let mut found = BTreeSet::new();
    for (path, code) in production() {
        for line in code.lines().filter(|line| line.contains("create_dir_all(")) {
            found.insert((path.clone(), line.contains("while_open(")));
        }
    }
    assert_eq!(found, FOLDERS.map(|(path, held)| (path.to_owned(), held)).into());
}

/// Rooms by which a typed destination becomes what is written, as `docs/architecture.md#way` lists them.
fn way() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let page = std::fs::read_to_string(page).expect("a page");
    let (_, table) = page.split_once("<a id=\"way\"></a>").expect("the way");
    let (table, _) = table.split_once("<a id=").expect("what follows");
    let stops =
        table.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()));
    stops.collect()
}

/// What is handed on goes down: no room on the way imports one that stands before it, straight or through others.
#[test]
fn the_way_of_a_destination_does_not_climb() {
    let house = House::read();
    let imports = house.imports();
    let graph: BTreeMap<String, BTreeSet<String>> = imports
        .iter()
        .map(|(from, to)| ((*from).to_owned(), to.iter().map(|to| (*to).to_owned()).collect()))
        .collect();
    let way = way();
    assert!(way.len() > 7, "{way:?}");
    for (nth, stop) in way.iter().enumerate() {
        assert!(graph.contains_key(stop), "{stop} is no file of src");
        let reached = reach(&graph, stop);
        let climbs: Vec<&String> =
            way[..nth].iter().filter(|before| reached.contains(before.as_str())).collect();
        assert!(climbs.is_empty(), "{stop} leads back up to {climbs:?}");
    }
}

/// The most lines that a function may have: what takes more is two things.
const FUNCTION: usize = 100;

/// Functions before the tests of a source that are longer than that, with their lines. rustfmt ends one by a brace as far in
/// as it begins.
fn long_functions(text: &str) -> Vec<(String, usize)> {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut begun: Option<(usize, usize, &str)> = None;
    for (nth, line) in code.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let begins = line.split_once("fn ").filter(|(before, _)| {
            before.split_whitespace().all(|word| {
                word.starts_with("pub") || ["const", "async"].contains(&word) || word.ends_with(')')
            })
        });
        match (begun, begins) {
            (None, Some((_, name))) if !line.ends_with([';', '}']) => begun = Some((nth, indent, name)),
            (Some((first, own, name)), _) if indent == own && line.trim_start() == "}" => {
                let lines = nth + 1 - first;
                let name = name.split(['(', '<']).next().unwrap_or_default().to_owned();
                found.extend((lines > FUNCTION).then_some((name, lines)));
                begun = None;
            }
            (Some((_, own, _)), _)
                if indent == own && line.trim_start().starts_with(')') && line.ends_with(';') =>
            {
                begun = None
            }
            _ => {}
        }
    }
    found
}

#[test]
fn no_function_is_long() {
    let all = sources().into_iter().filter(|(path, _)| !path.ends_with("tests.rs"));
    let long: Vec<String> = all
        .flat_map(|(path, text)| {
            long_functions(&text)
                .into_iter()
                .map(move |(name, lines)| format!("{path}: {name}, {lines} lines"))
        })
        .collect();
    assert!(long.is_empty(), "above {FUNCTION} lines: {long:#?}");
    let of = |lines: usize| {
        format!("impl A {{\n    pub(super) fn f(\n    ) {{\n{}    }}\n}}\n", "        g();\n".repeat(lines))
    };
    assert_eq!(long_functions(&of(97)), []);
    assert_eq!(long_functions(&of(98)), [("f".to_owned(), 101)]);
}

//! What other programs see of the library: the names and modules that `src/lib.rs` gives, and the names in those modules, with
//! what they take and give, as the sources say it. `tests/surface.txt` holds it, so that a change of it is seen: `BLESS=1 cargo test --test all surface::` writes it.
//!
//! Read by `syn` and not by rustdoc, whose JSON takes a compiler that is not stable. So a type's own functions are found by
//! its name wherever they stand, and what a macro makes is not seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::house;
use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, TraitItem, Type, UseTree, Visibility};

/// A name that is given, and the path of what it stands for.
struct Given {
    name: String,
    path: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source by its module.
fn sources() -> Sources {
    let parsed = house::sources().into_iter().map(|(path, text)| {
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        (house::module_of(&path), file)
    });
    let mut found: Sources = parsed.collect();
    let tests: Vec<Vec<String>> = found
        .iter()
        .flat_map(|(module, file)| {
            let tests = file.items.iter().filter_map(|item| match item {
                Item::Mod(item) if is_test(&item.attrs) => {
                    Some([&module[..], &[item.ident.to_string()]].concat())
                }
                _ => None,
            });
            tests.collect::<Vec<_>>()
        })
        .collect();
    found.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
    found
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.to_token_stream().to_string().contains("(test)")
    })
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    let hides =
        |attribute: &Attribute| attribute.path().is_ident("doc") && attribute.meta.require_list().is_ok();
    attributes.iter().any(hides)
}

/// The names of a `use` statement.
fn names(tree: &UseTree, before: &[String], found: &mut Vec<Given>) {
    let with = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
    match tree {
        UseTree::Path(path) => names(&path.tree, &with(&path.ident), found),
        UseTree::Group(group) => group.items.iter().for_each(|item| names(item, before, found)),
        UseTree::Glob(_) => found.push(Given { name: "*".into(), path: before.to_vec() }),
        UseTree::Name(name) if name.ident == "self" => {
            found.push(Given { name: before.last().cloned().unwrap_or_default(), path: before.to_vec() });
        }
        UseTree::Name(name) => found.push(Given { name: name.ident.to_string(), path: with(&name.ident) }),
        UseTree::Rename(rename) => {
            found.push(Given { name: rename.rename.to_string(), path: with(&rename.ident) });
        }
    }
}

/// What a module gives to others by `pub use`.
fn given(file: &syn::File) -> Vec<Given> {
    taken(file, |list| is_public(&list.vis) && !is_hidden(&list.attrs))
}

/// What a module takes by such `use` statements.
fn taken(file: &syn::File, wanted: impl Fn(&syn::ItemUse) -> bool) -> Vec<Given> {
    let mut found = Vec::new();
    for item in &file.items {
        if let Item::Use(list) = item {
            if wanted(list) {
                names(&list.tree, &[], &mut found);
            }
        }
    }
    found
}

fn name_of(item: &Item) -> Option<&syn::Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        _ => None,
    }
}

type Sources = BTreeMap<Vec<String>, syn::File>;

/// The item that a path leads to, through what modules take and give on.
fn find<'a>(sources: &'a Sources, path: &[String]) -> Option<&'a Item> {
    let (name, module) = path.split_last()?;
    let file = sources.get(module)?;
    let own = file.items.iter().find(|item| name_of(item).is_some_and(|ident| ident == name));
    own.or_else(|| {
        let taken = taken(file, |_| true).into_iter().filter(|taken| taken.name == *name);
        taken.filter_map(|taken| find(sources, &absolute(module, &taken.path))).next()
    })
}

/// A path that is written in a module, from the root.
fn absolute(module: &[String], path: &[String]) -> Vec<String> {
    let up = path.iter().take_while(|part| *part == "super").count();
    match path.first().map(String::as_str) {
        Some("crate") => path[1..].to_vec(),
        Some("self") => [module, &path[1..]].concat(),
        _ => [&module[..module.len().saturating_sub(up)], &path[up..]].concat(),
    }
}

/// Tokens as people write them, as far as a snapshot takes.
fn written(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" : ", ": "),
        (" ,", ","),
        (" ;", ""),
        ("->", " ->"),
        ("  ", " "),
        ("' ", "'"),
        ("# [", "#["),
        ("[ ", "["),
        (" ]", "]"),
        (",)", ")"),
    ] {
        text = text.replace(from, to);
    }
    text
}

fn fields(fields: &Fields, all: bool, out: &mut String) {
    for field in fields.iter().filter(|field| all || is_public(&field.vis)) {
        let name = field.ident.as_ref().map(|ident| format!("{ident}: ")).unwrap_or_default();
        out.push_str(&format!("    {name}{}\n", written(&field.ty)));
    }
    if !all && fields.iter().any(|field| !is_public(&field.vis)) {
        out.push_str("    and what is private\n");
    }
}

/// The type that an `impl` is of, as it is written.
fn type_of(item: &syn::ItemImpl) -> Option<Vec<String>> {
    match &*item.self_ty {
        Type::Path(path) => {
            Some(path.path.segments.iter().map(|segment| segment.ident.to_string()).collect())
        }
        _ => None,
    }
}

/// The public functions of a type, and the traits that it has, wherever they stand.
fn methods(sources: &Sources, of: &Item, out: &mut String) {
    let mut found = Vec::new();
    let named = |path: &[String]| name_of(of).is_some_and(|own| path.last().is_some_and(|name| own == name));
    let impls = sources.iter().flat_map(|(module, file)| file.items.iter().map(move |item| (module, item)));
    let impls = impls.filter_map(|(module, item)| match item {
        Item::Impl(item) if !is_test(&item.attrs) => {
            let path = type_of(item).filter(|path| named(path))?;
            let own = find(sources, &absolute(module, &path))?;
            std::ptr::eq(own, of).then_some(item)
        }
        _ => None,
    });
    for item in impls {
        if let Some((_, path, _)) = &item.trait_ {
            found.push(format!("  is {}\n", written(path)));
            continue;
        }
        for function in &item.items {
            match function {
                ImplItem::Fn(function) if is_public(&function.vis) => {
                    found.push(format!("  {}\n", written(&function.sig)));
                }
                ImplItem::Const(constant) if is_public(&constant.vis) => {
                    found.push(format!("  const {}: {}\n", constant.ident, written(&constant.ty)));
                }
                _ => {}
            }
        }
    }
    found.sort();
    out.push_str(&found.concat());
}

fn shown(sources: &Sources, given: &Given, item: &Item) -> String {
    let mut out = String::new();
    match item {
        Item::Fn(item) => {
            let own = format!("fn {}", item.sig.ident);
            out.push_str(&written(&item.sig).replacen(&own, &format!("fn {}", given.name), 1));
            out.push('\n');
        }
        Item::Type(item) => out.push_str(&format!("type {} = {}\n", given.name, written(&item.ty))),
        Item::Const(item) => out.push_str(&format!("const {}: {}\n", given.name, written(&item.ty))),
        Item::Static(item) => out.push_str(&format!("static {}: {}\n", given.name, written(&item.ty))),
        Item::Struct(item) => {
            out.push_str(&format!("struct {}{}\n", given.name, written(&item.generics)));
            fields(&item.fields, false, &mut out);
        }
        Item::Enum(item) => {
            out.push_str(&format!("enum {}{}\n", given.name, written(&item.generics)));
            for variant in &item.variants {
                out.push_str(&format!("  {}\n", variant.ident));
                fields(&variant.fields, true, &mut out);
            }
        }
        Item::Trait(item) => {
            out.push_str(&format!("trait {}\n", given.name));
            for function in &item.items {
                if let TraitItem::Fn(function) = function {
                    out.push_str(&format!("  {}\n", written(&function.sig)));
                }
            }
        }
        other => panic!("{}: {}", given.name, written(other)),
    }
    if matches!(item, Item::Struct(_) | Item::Enum(_)) {
        methods(sources, item, &mut out);
    }
    out
}

/// Whether a path is that of a module that its parent shows.
fn is_open(sources: &Sources, path: &[String]) -> bool {
    path.split_last().and_then(|(name, parent)| Some((name, sources.get(parent)?))).is_some_and(
        |(name, file)| {
            file.items
                .iter()
                .any(|item| matches!(item, Item::Mod(item) if item.ident == name && is_public(&item.vis)))
        },
    )
}

/// The names of a module, each with what it takes and gives; those that are modules themselves go to `modules`.
fn listed(
    sources: &Sources,
    module: &[String],
    modules: &mut BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, String> {
    let file = &sources[module];
    let mut names = given(file);
    let own = file.items.iter().filter(|item| match item {
        Item::Fn(item) => is_public(&item.vis) && !is_hidden(&item.attrs),
        Item::Struct(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Trait(item) => is_public(&item.vis),
        _ => false,
    });
    names.extend(
        own.filter_map(name_of).map(|name| Given { name: name.to_string(), path: vec![name.to_string()] }),
    );
    let mut blocks = BTreeMap::new();
    for given in &names {
        let path = absolute(module, &given.path);
        let below = is_open(sources, &path).then(|| modules.insert(given.name.clone(), path.clone()));
        match (find(sources, &path), below) {
            (Some(item), _) => {
                blocks.insert(given.name.clone(), shown(sources, given, item));
            }
            (None, Some(_)) => {}
            (None, None) => panic!("{} leads nowhere: {}", given.name, given.path.join("::")),
        }
    }
    blocks
}

/// More names than these at once nobody takes in: what is of one job goes into the module of that job.
const IN_THE_ROOT: usize = 40;

#[test]
fn the_public_names_are_those_that_were_agreed_on() {
    let sources = sources();
    let mut modules = BTreeMap::new();
    let root = listed(&sources, &[], &mut modules);
    assert!(root.len() <= IN_THE_ROOT, "{} names in the root, more than {IN_THE_ROOT}", root.len());
    let texts = |names: &[&String]| names.iter().map(|text| text.as_str()).collect::<Vec<_>>().join("\n");
    let mut text = format!("restow: {} public names\n\n", root.len());
    text += &texts(&root.values().collect::<Vec<_>>());
    for (module, path) in &modules {
        // What the root gives as well stands there.
        let names = listed(&sources, path, &mut BTreeMap::new());
        let own: Vec<&String> =
            names.iter().filter(|(name, text)| root.get(*name) != Some(text)).map(|(_, text)| text).collect();
        text += &format!("\n\nrestow::{module}: {} public names\n\n{}", own.len(), texts(&own));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/surface.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).expect("written");
    }
    let agreed = std::fs::read_to_string(&file).expect("tests/surface.txt");
    let changed = text.lines().filter(|line| !agreed.contains(line)).collect::<Vec<_>>();
    assert!(
        text == agreed,
        "the public names are others than tests/surface.txt says; if that is wanted, it is a change of the version, and \
         BLESS=1 writes it. New: {changed:#?}"
    );
}

/// Whoever embeds restow starts from an example: each public module has one in its documentation.
#[test]
fn every_public_module_has_an_example() {
    let sources = sources();
    let mut modules = BTreeMap::new();
    listed(&sources, &[], &mut modules);
    assert!(modules.len() > 8, "only {modules:?} were found");
    for (name, path) in &modules {
        let docs: String =
            sources[path].attrs.iter().map(|attribute| attribute.to_token_stream().to_string()).collect();
        assert!(docs.contains("# Example") && docs.contains("```"), "restow::{name} has no example");
    }
}

/// Parts are for this repository; what is promised is given by name.
#[test]
fn no_part_is_promised() {
    let text = std::fs::read_to_string(root().join("lib.rs")).expect("a source");
    let lib = syn::parse_file(&text).expect("Rust");
    let open: Vec<String> = lib
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Mod(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                Some(item.ident.to_string())
            }
            _ => None,
        })
        .collect();
    assert!(open.is_empty(), "public parts that documentation shows: {open:?}");
}

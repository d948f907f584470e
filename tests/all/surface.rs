//! What other programs see of the library: the names that `src/lib.rs` gives, with what they take and give, as the sources
//! say it. `tests/surface.txt` holds it, so that a change of it is seen: `BLESS=1 cargo test --test all surface::` writes it.
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
fn sources() -> BTreeMap<Vec<String>, syn::File> {
    let parsed = house::sources().into_iter().map(|(path, text)| {
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        (house::module_of(&path), file)
    });
    let mut found: BTreeMap<Vec<String>, syn::File> = parsed.collect();
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
    let mut found = Vec::new();
    for item in &file.items {
        if let Item::Use(list) = item {
            if is_public(&list.vis) && !is_hidden(&list.attrs) {
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

/// The item that a path leads to, through what modules give on.
fn find<'a>(sources: &'a BTreeMap<Vec<String>, syn::File>, path: &[String]) -> Option<&'a Item> {
    let (name, module) = path.split_last()?;
    let file = sources.get(module)?;
    let own = file.items.iter().find(|item| name_of(item).is_some_and(|ident| ident == name));
    own.or_else(|| {
        let given = given(file).into_iter().find(|given| given.name == *name)?;
        let path = match given.path.first().map(String::as_str) {
            Some("crate") => given.path[1..].to_vec(),
            _ => [module, &given.path].concat(),
        };
        find(sources, &path)
    })
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

/// The type that an `impl` is of.
fn type_of(item: &syn::ItemImpl) -> Option<String> {
    match &*item.self_ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// The public functions of a type, and the traits that it has, wherever they stand.
fn methods(sources: &BTreeMap<Vec<String>, syn::File>, name: &str, out: &mut String) {
    let mut found = Vec::new();
    let impls = sources.values().flat_map(|file| &file.items).filter_map(|item| match item {
        Item::Impl(item) if !is_test(&item.attrs) && type_of(item).is_some_and(|own| own == name) => {
            Some(item)
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

fn shown(sources: &BTreeMap<Vec<String>, syn::File>, given: &Given, item: &Item) -> String {
    let mut out = String::new();
    let own = name_of(item).map(ToString::to_string).unwrap_or_default();
    match item {
        Item::Fn(item) => out.push_str(&format!("{}\n", written(&item.sig))),
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
        methods(sources, &own, &mut out);
    }
    out
}

#[test]
fn the_public_names_are_those_that_were_agreed_on() {
    let sources = sources();
    let lib = &sources[&Vec::new()];
    let mut names = given(lib);
    for glob in names.extract_if(.., |given| given.name == "*").collect::<Vec<_>>() {
        let module = given(&sources[&glob.path]);
        let below = |given: Given| Given { path: [&glob.path[..], &given.path].concat(), ..given };
        names.extend(module.into_iter().map(below));
    }
    let own = lib.items.iter().filter(|item| matches!(item, Item::Fn(item) if is_public(&item.vis)));
    names.extend(
        own.filter_map(name_of).map(|name| Given { name: name.to_string(), path: vec![name.to_string()] }),
    );
    let mut blocks: Vec<(String, String)> = Vec::new();
    for given in &names {
        let text = match find(&sources, &given.path) {
            Some(item) => shown(&sources, given, item),
            None => panic!("{} leads nowhere: {}", given.name, given.path.join("::")),
        };
        blocks.push((given.name.clone(), text));
    }
    blocks.sort();
    let texts: Vec<String> = blocks.into_iter().map(|(_, text)| text).collect();
    let text = format!("{} public names\n\n{}", texts.len(), texts.join("\n"));
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

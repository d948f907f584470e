//! Names in the target: `--tag`, `--rename`, `:REF` behind the destination, and what each form can hold
//! (docs/architecture.md#names).

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::HeldNames;
use crate::form::sink::OutName;
use crate::jobs::convert::account::{Action, Names};
use crate::jobs::convert::plan::PlannedRoot;
use crate::jobs::convert::request::{Request, Target};
use crate::location::At;
use crate::media::REF_NAME;
use crate::model::select::{self, Chosen};
use crate::model::view::annotation;
use crate::model::{Archive, Name, NodeId, Root, referrers};
use crate::reference::{self, Reference};

/// What roots are about, by position.
type About = HashMap<usize, Digest>;

/// Gives every root its name in the target, with the lines of the account that say what changed.
pub fn assign(archive: &Archive, request: &Request, roots: Vec<Chosen>) -> Result<(Vec<PlannedRoot>, Names)> {
    let mut names = Names::default();
    let about = referrers::about(archive);
    let renamed = rename(archive, request, roots, &mut names)?;
    let named = tagged(archive, request, &about, renamed, &mut names)?;
    let planned = match request.target.can().names {
        HeldNames::No => without_names(named, &mut names),
        HeldNames::Repository => storage(archive, request, &about, named)?,
        HeldNames::Full => {
            for root in &named {
                if let OutName::BareTag(tag) = &root.name {
                    let why = "a tag alone is no name for Docker; give it one with --tag NAME:TAG";
                    names.say(None, Action::Dropped, format!(":{tag} in manifest.json"), why);
                }
            }
            named
        }
        HeldNames::Any => named,
    };
    planned.iter().for_each(|root| arrived(request, root, &mut names));
    Ok((planned, names))
}

/// What became of the name of a root that has its place.
fn arrived(request: &Request, planned: &PlannedRoot, names: &mut Names) {
    let had_name = planned.root.name != Name::None;
    let source = planned.source.filter(|_| had_name);
    if let Some((what, now)) = given_place(request, planned) {
        return names.say(source, Action::Moved, what, now);
    }
    let Some(root) = source.filter(|root| !names.fates.contains_key(root)) else { return };
    let shown = planned.root.name.shown();
    if let Some((now, why)) = moved_in_storage(request, planned) {
        return names.say(Some(root), Action::Moved, shown, format!("now {now}: {why}"));
    }
    names.say(Some(root), Action::Kept, shown, "");
}

/// Where a name stands in storage, if that is not what it says: a registry knows no short names.
fn moved_in_storage(request: &Request, planned: &PlannedRoot) -> Option<(String, &'static str)> {
    let (OutName::Full(name), Target::Storage) = (&planned.name, request.target) else { return None };
    let (repository, tag) = planned.repository.as_ref()?;
    let tagged = tag.as_ref().map_or_else(|| repository.clone(), |tag| format!("{repository}:{tag}"));
    let as_before = planned.root.repository.as_ref() == Some(repository);
    let short = name.domain() == "docker.io" && !name.familiar().starts_with(repository.as_str());
    (short && !as_before).then_some((tagged, "a registry knows no short names"))
}

/// The old name of a root and what became of it, where `registry-storage:DIR:REPO[:TAG]` gives it another place.
fn given_place(request: &Request, planned: &PlannedRoot) -> Option<(String, String)> {
    let (repository, tag) = planned.repository.as_ref()?;
    let tagged = tag.as_ref().map_or_else(|| repository.clone(), |tag| format!("{repository}:{tag}"));
    if request.destination_name.is_none() {
        // `hello-world` stands as `library/hello-world`, where no client adds the first part.
        let OutName::Full(name) = &planned.name else { return None };
        let same = planned.root.repository.is_some() || name.familiar() == tagged;
        return (!same && request.target == Target::Storage)
            .then(|| (name.familiar(), format!("now {tagged}")));
    }
    match &planned.name {
        OutName::Full(name)
            if own_path(planned, name).as_ref() == Some(repository) && name.tag() == tag.as_deref() =>
        {
            None
        }
        OutName::None => Some((tagged, "given on the command line".to_owned())),
        _ if planned.root.name == Name::None => Some((tagged, "given on the command line".to_owned())),
        _ => Some((planned.root.name.shown(), format!("now {tagged}"))),
    }
}

/// `--rename OLD=NEW`
fn rename(
    archive: &Archive,
    request: &Request,
    mut roots: Vec<Chosen>,
    names: &mut Names,
) -> Result<Vec<PlannedRoot>> {
    // All of them mean the names as they are in the source, so that two images can change places.
    let before: Vec<Name> = roots.iter().map(|chosen| chosen.root.name.clone()).collect();
    for (old, new) in &request.renames {
        let new_name = full(new)?;
        let wanted = Reference::parse(old).ok().map(Reference::with_default_tag);
        let is_it = |name: &Name| match name {
            Name::Full(name) => Some(name) == wanted.as_ref(),
            Name::BareTag(text) | Name::Unreadable(text) => text == old.strip_prefix(':').unwrap_or(old),
            Name::None => false,
        };
        let mut found = false;
        for (chosen, before) in roots.iter_mut().zip(&before).filter(|(_, before)| is_it(before)) {
            found = true;
            let now = format!("now {}", new_name.familiar());
            names.say(Some(chosen.index), Action::Moved, before.shown(), now);
            chosen.root.name = Name::Full(new_name.clone());
            chosen.root.repository = None;
        }
        if !found {
            let names: Vec<String> = archive.roots.iter().map(|root| root.name.shown()).collect();
            let message = format!("--rename: no image is called `{old}`");
            return Err(Error::refused_help(message, format!("there are {}", select::list(&names))));
        }
    }
    for (_, new) in &request.renames {
        let name = Name::Full(full(new)?);
        let called: HashSet<NodeId> =
            roots.iter().filter(|chosen| chosen.root.name == name).map(|chosen| chosen.root.node).collect();
        if called.len() > 1 {
            return Err(Error::refused(format!("--rename: `{new}` would name {} images", called.len())));
        }
    }
    let mut roots: Vec<PlannedRoot> = roots.into_iter().map(unchanged).collect();
    if request.replaces.is_some() {
        roots.iter_mut().for_each(|root| as_written(archive, root));
    }
    Ok(roots)
}

/// Where an archive is changed and not converted, `ref.name` stays the text that it was, tag or full name.
fn as_written(archive: &Archive, root: &mut PlannedRoot) {
    let (OutName::Full(full), Some(descriptor)) = (&root.name, &root.root.descriptor) else { return };
    let document = descriptor.at.member.and_then(|member| archive.document_at(member));
    let At::Pointer(pointer) = &descriptor.at.at else { return };
    let value = document.as_ref().and_then(|document| document.root()?.at(pointer));
    if let Some(text) = value.and_then(|value| annotation(value, REF_NAME)) {
        root.name = OutName::Exact { ref_name: text.to_owned(), full: Some(full.clone()) };
    }
}

fn full(text: &str) -> Result<Reference> {
    match Reference::parse(text) {
        Ok(reference) => Ok(reference.with_default_tag()),
        Err(error) => Err(Error::refused(format!("`{text}` is not an image name: {error}"))),
    }
}

fn unchanged(chosen: Chosen) -> PlannedRoot {
    let name = match &chosen.root.name {
        Name::Full(name) => OutName::Full(name.clone()),
        Name::BareTag(tag) => OutName::BareTag(tag.clone()),
        Name::Unreadable(text) => OutName::Exact { ref_name: text.clone(), full: None },
        Name::None => OutName::None,
    };
    PlannedRoot { root: chosen.root, source: Some(chosen.index), name, repository: None }
}

/// Parts roots from those that are about others: a name is for an image, and those go along as they are. Where there is
/// nothing else, they are what is meant.
fn parted(about: &About, roots: Vec<PlannedRoot>) -> (Vec<PlannedRoot>, Vec<PlannedRoot>) {
    let is_about = |planned: &PlannedRoot| planned.source.is_some_and(|root| about.contains_key(&root));
    let (along, images): (Vec<_>, Vec<_>) = roots.into_iter().partition(is_about);
    if images.is_empty() { (along, images) } else { (images, along) }
}

/// `--tag` and `:REF` replace the names of the one image that is left.
fn tagged(
    archive: &Archive,
    request: &Request,
    about: &About,
    roots: Vec<PlannedRoot>,
    said: &mut Names,
) -> Result<Vec<PlannedRoot>> {
    let by_place =
        request.destination_name.as_deref().filter(|_| request.target.can().names != HeldNames::Repository);
    if request.tags.is_empty() && by_place.is_none() {
        return Ok(roots);
    }
    let (roots, along) = parted(about, roots);
    let distinct: HashSet<NodeId> = roots.iter().map(|planned| planned.root.node).collect();
    if distinct.len() > 1 {
        let names = select::handles(archive, roots.iter().map(|planned| &planned.root));
        let message = format!("a name is given for one image, but {} are selected", distinct.len());
        return Err(Error::refused_help(
            message,
            format!("choose one with --image: {}", select::list(&names)),
        ));
    }
    let Some(first) = roots.first().map(|planned| planned.root.clone()) else { return Ok(along) };
    let mut names = Vec::new();
    if let Some(text) = by_place {
        names.push(match request.target.can().names {
            HeldNames::Any => OutName::Exact {
                ref_name: text.to_owned(),
                full: text
                    .contains(['/', ':'])
                    .then(|| Reference::parse(text).ok())
                    .flatten()
                    .map(Reference::with_default_tag),
            },
            _ => OutName::Full(full(text)?),
        });
    }
    for tag in &request.tags {
        names.push(given_tag(request, &roots, tag)?);
    }
    let mut stays = HashSet::new();
    for planned in &roots {
        let before = planned.root.name.shown();
        let same =
            names.iter().position(|name| matches!(name, OutName::Full(name) if name.familiar() == before));
        if let Some(at) = same {
            stays.insert(at);
            said.say(planned.source, Action::Kept, before, "");
        } else if planned.root.name != Name::None {
            said.say(planned.source, Action::Dropped, before, "replaced by the name that was given");
        }
    }
    let mut planned: Vec<PlannedRoot> = Vec::new();
    for (at, name) in names.into_iter().enumerate() {
        let shown = match &name {
            OutName::Full(name) => name.familiar(),
            OutName::Exact { ref_name, .. } | OutName::BareTag(ref_name) => ref_name.clone(),
            OutName::None => String::new(),
        };
        let root = Root { name: Name::None, ..first.clone() };
        if !stays.contains(&at) {
            said.say(None, Action::Moved, shown, "given on the command line");
        }
        planned.push(PlannedRoot { root, source: None, name, repository: None });
    }
    planned.extend(along);
    Ok(planned)
}

/// A name of `--tag`; a bare word is a tag of the repository that the image has already.
fn given_tag(request: &Request, roots: &[PlannedRoot], text: &str) -> Result<OutName> {
    let word = text.strip_prefix(':').unwrap_or(text);
    if text.contains(['/', '@']) || word.contains(':') || !reference::is_tag(word) {
        return Ok(OutName::Full(full(text)?));
    }
    let own = roots.iter().find_map(|planned| match &planned.root.name {
        Name::Full(name) => Some(name.repository()),
        _ => None,
    });
    match (own, request.target.can().names) {
        (Some(repository), _) => Ok(OutName::Full(full(&format!("{repository}:{word}"))?)),
        // What holds no names drops it.
        (None, HeldNames::Any | HeldNames::No) => Ok(OutName::BareTag(word.to_owned())),
        // Where the repository stands behind the destination, the tag goes with it.
        (None, HeldNames::Repository) if request.destination_name.is_some() => {
            Ok(OutName::BareTag(word.to_owned()))
        }
        (None, _) => {
            let message =
                format!("`{word}` is a tag, and the image is in no repository whose tag it could be");
            Err(Error::refused_help(message, format!("give both: --tag NAME:{word}")))
        }
    }
}

/// `dir:` has no place for a name.
fn without_names(roots: Vec<PlannedRoot>, names: &mut Names) -> Vec<PlannedRoot> {
    let mut kept: Vec<PlannedRoot> = Vec::new();
    let mut nodes = HashSet::new();
    for mut planned in roots {
        if planned.name != OutName::None {
            let what = planned.root.name.shown();
            let source = planned.source.filter(|_| planned.root.name != Name::None);
            names.say(source, Action::Dropped, what, "a dir: layout holds no names");
        }
        (planned.name, planned.root.name) = (OutName::None, Name::None);
        if nodes.insert(planned.root.node) {
            kept.push(planned);
        }
    }
    kept
}

/// Repository and tag of each root in registry storage.
fn storage(
    archive: &Archive,
    request: &Request,
    about: &About,
    roots: Vec<PlannedRoot>,
) -> Result<Vec<PlannedRoot>> {
    let given = request.destination_name.as_deref().map(given_repository).transpose()?;
    let registry = request.target == Target::Registry;
    let mut roots = roots;
    if registry {
        // A registry takes an image under the path of its name; whose it was before does not matter there.
        for planned in &mut roots {
            if let (None, OutName::Full(name)) = (&planned.root.repository, &planned.name) {
                planned.root.repository = Some(name.path().to_owned());
            }
        }
    }
    let by_digest = repositories_by_digest(archive, &roots);
    // A tag is for an image; what is about it goes along under the names that it has.
    let about = |planned: &PlannedRoot| planned.source.is_some_and(|root| about.contains_key(&root));
    let alone = roots.iter().all(about);
    let images: HashSet<NodeId> =
        roots.iter().filter(|planned| !about(planned)).map(|planned| planned.root.node).collect();
    let unnamed = roots.iter().any(|planned| planned.name == OutName::None && !about(planned));
    let lone = registry && images.len() == 1 && (unnamed || !request.keep_tags);
    if given.as_ref().is_some_and(|(_, tag)| tag.is_some()) {
        let distinct: HashSet<NodeId> = roots
            .iter()
            .filter(|planned| alone || !about(planned))
            .map(|planned| planned.root.node)
            .collect();
        if distinct.len() > 1 {
            let message = format!("a tag is given for one image, but {} are selected", distinct.len());
            return Err(Error::refused_help(
                message,
                "choose one with --image, or give the repository without a tag",
            ));
        }
    }
    roots
        .into_iter()
        .map(|mut planned| {
            planned.repository = Some(match &given {
                Some((repository, Some(_))) if !alone && about(&planned) => {
                    (repository.clone(), tag_of(&planned.name))
                }
                Some((repository, Some(tag))) => (repository.clone(), Some(tag.clone())),
                Some((repository, None)) => {
                    let tag = tag_of(&planned.name);
                    let tag = match lone && !about(&planned) {
                        // As everywhere with registries, a name without a tag means the latest.
                        true => Some("latest".to_owned()),
                        false => tag,
                    };
                    (repository.clone(), tag)
                }
                None => repository_of(archive, &planned, &by_digest)?,
            });
            Ok(planned)
        })
        .collect()
}

/// `REPO[:TAG]` behind the destination.
fn given_repository(text: &str) -> Result<(String, Option<String>)> {
    let (path, tag) = match text.rsplit_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (text, None),
    };
    if !reference::is_repository_path(path) {
        return Err(Error::refused(format!(
            "`{path}` is not a repository path: expected lower-case components joined by `/`"
        )));
    }
    if let Some(tag) = tag.filter(|tag| !reference::is_tag(tag)) {
        return Err(Error::refused(format!("`{tag}` is not a tag")));
    }
    Ok((path.to_owned(), tag.map(str::to_owned)))
}

fn tag_of(name: &OutName) -> Option<String> {
    match name {
        OutName::Full(name) => name.tag().map(str::to_owned),
        OutName::BareTag(tag) => Some(tag.clone()),
        // Of a text that is no name (`_cosign:sha256-….sig`) the tag is what a repository can still hold.
        OutName::Exact { ref_name, .. } => {
            let tag = ref_name.rsplit_once(':').map_or(&ref_name[..], |(_, tag)| tag);
            reference::is_tag(tag).then(|| tag.to_owned())
        }
        OutName::None => None,
    }
}

/// `docker.io` is dropped, any other domain is the first component of the path.
fn path_of(name: &Reference) -> Result<String> {
    if name.domain() == "docker.io" {
        return Ok(name.path().to_owned());
    }
    let path = format!("{}/{}", name.domain(), name.path());
    if !reference::is_repository_path(&path) {
        let message = format!("`{}` cannot be a repository in registry storage", name.repository());
        return Err(Error::refused_help(
            message,
            "give one behind the destination: registry-storage:DIR:REPO[:TAG]",
        ));
    }
    Ok(path)
}

/// For every manifest that a root with a repository reaches, that repository: where what is about it belongs, and what is
/// about that.
fn repositories_by_digest(archive: &Archive, roots: &[PlannedRoot]) -> HashMap<String, String> {
    let mut found: HashMap<String, String> = HashMap::new();
    let mut seen = HashSet::new();
    let mut reach = |node: NodeId, path: &str, found: &mut HashMap<String, String>| {
        for node in archive.below_unseen(node, &mut seen) {
            if let Some(digest) = &archive.node(node).digest {
                found.entry(digest.to_string()).or_insert_with(|| path.to_owned());
            }
        }
    };
    let mut waiting: Vec<(NodeId, String)> = Vec::new();
    for planned in roots {
        let path = match &planned.name {
            OutName::Full(name) => own_path(planned, name),
            _ => planned.root.repository.clone(),
        };
        let subject = || {
            let named = referrers::about_name(&planned.root.name).map(|digest| archive.tree.now(digest));
            named.or_else(|| referrers::subject_of(archive, planned.root.node))
        };
        match path {
            Some(path) => reach(planned.root.node, &path, &mut found),
            None => waiting.extend(subject().map(|subject| (planned.root.node, subject.to_string()))),
        }
    }
    loop {
        let before = waiting.len();
        waiting.retain(|(node, subject)| match found.get(subject).cloned() {
            Some(path) => {
                reach(*node, &path, &mut found);
                false
            }
            None => true,
        });
        if waiting.len() == before {
            return found;
        }
    }
}

/// From storage to storage a repository keeps its path.
fn own_path(planned: &PlannedRoot, name: &Reference) -> Option<String> {
    planned.root.repository.clone().or_else(|| path_of(name).ok())
}

fn repository_of(
    archive: &Archive,
    planned: &PlannedRoot,
    by_digest: &HashMap<String, String>,
) -> Result<(String, Option<String>)> {
    let what = match &planned.name {
        OutName::Full(name) => {
            let path = match &planned.root.repository {
                Some(path) => path.clone(),
                None => path_of(name)?,
            };
            return Ok((path, name.tag().map(str::to_owned)));
        }
        // The tag schemes of cosign and of the referrers fallback name the digest that they are about.
        OutName::BareTag(tag) => {
            let about = referrers::about_tag(tag).map(|digest| archive.tree.now(digest));
            if let Some(path) = about.and_then(|digest| by_digest.get(digest.as_str())) {
                return Ok((path.clone(), Some(tag.clone())));
            }
            format!("`:{tag}` has a tag but no repository")
        }
        OutName::Exact { ref_name, .. } => format!("`{ref_name}` is not an image name"),
        OutName::None => {
            let own = planned.root.repository.as_ref().filter(|path| reference::is_repository_path(path));
            let of_subject = || {
                let subject = referrers::subject_of(archive, planned.root.node)?;
                by_digest.get(subject.as_str())
            };
            if let Some(path) = own.or_else(of_subject) {
                return Ok((path.clone(), None));
            }
            "an image has no name".to_owned()
        }
    };
    Err(Error::refused_help(
        format!("{what}, and registry storage needs one"),
        "give it behind the destination: registry-storage:DIR:REPO[:TAG], or with --tag NAME:TAG",
    ))
}

//! A live registry that lacks something: what it lacks is sent, and nothing else; one that refuses is left as it was.

use super::places::{layout, restow, stderr};
use super::server::{Act, Manner, Of, Server};

/// Pushes an index of several images; the place, and the archive that it came from.
fn pushed(server: &Server) -> (String, String) {
    let source = layout("multiplatform-attestation-nested");
    let place = format!("docker://{}/team/multi:1", server.address);
    let output = restow(&["convert", &source, &place]);
    assert!(output.status.success(), "{}", stderr(&output));
    (place, source)
}

/// Blobs and manifests, each with its repository.
type Held = (Vec<Of>, Vec<Of>);

fn held(server: &Server) -> Held {
    let state = server.state();
    let mut blobs: Vec<_> = state.blobs.keys().cloned().collect();
    blobs.sort();
    (blobs, state.manifests.keys().cloned().collect())
}

/// Everything but what the tag names itself.
fn lose(server: &Server) {
    let mut state = server.state();
    let root = state.tags.values().next().expect("a tag").clone();
    state.manifests.retain(|(_, digest), _| *digest == root);
    state.blobs.clear();
}

#[test]
fn what_a_registry_lacks_is_sent_children_first() {
    let server = Server::start(Manner::default());
    let (place, source) = pushed(&server);
    let sound = held(&server);
    lose(&server);
    let lost = held(&server);
    let plan = restow(&["repair", &place, "--from", &source]);
    assert_eq!(plan.status.code(), Some(1), "{}", stderr(&plan));
    assert_eq!(held(&server), lost, "a plan sends nothing");
    server.state().seen.clear();
    let done = restow(&["repair", "--write", &place, "--from", &source]);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(0), "{told}{}", stderr(&done));
    assert_eq!(held(&server), sound, "{told}");
    let deletes = server.state().seen.iter().filter(|seen| seen.method == "DELETE").count();
    assert_eq!(deletes, 0);
    // Each manifest after all that it names.
    let kinds: Vec<&str> = told.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(kinds.last(), Some(&"manifest"), "{told}");
    assert_eq!(kinds.first(), Some(&"blob"), "{told}");
    let again = restow(&["repair", "--write", &place, "--from", &source]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(String::from_utf8_lossy(&again.stdout).contains("nothing to put right"));
}

#[test]
fn a_registry_that_refuses_is_left_as_it_was() {
    for (method, path) in [("POST", "/blobs/uploads/"), ("PUT", "/blobs/uploads/"), ("PUT", "/manifests/")] {
        let server = Server::start(Manner::default());
        let (place, source) = pushed(&server);
        lose(&server);
        let lost = held(&server);
        server.plant(method, path, 99, Act::Status(403, Vec::new(), String::new()));
        let done = restow(&["repair", "--write", "--account", "-", &place, "--from", &source]);
        assert_eq!(done.status.code(), Some(2), "{method} {path}: {}", stderr(&done));
        assert!(stderr(&done).contains("403") || stderr(&done).contains("refuses"), "{}", stderr(&done));
        let account: serde_json::Value = serde_json::from_slice(&done.stdout).expect("an account");
        assert!(account["stopped"].is_string(), "{account:#}");
        let now = held(&server);
        let came = |before: &Vec<_>, now: &Vec<_>| before.iter().all(|one| now.contains(one));
        assert!(came(&lost.0, &now.0) && now.1 == lost.1, "{method} {path}");
        server.state().plants.clear();
        let done = restow(&["repair", "--write", &place, "--from", &source]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    }
}

/// Bytes that a registry gives under a digest are hashed as any others, and one that breaks off is another place that did
/// not have it.
#[test]
fn a_registry_as_a_source_is_not_believed() {
    let (server, other) = (Server::start(Manner::default()), Server::start(Manner::default()));
    let (place, source) = pushed(&server);
    let (from, _) = pushed(&other);
    let sound = held(&server);
    let layer = {
        let state = other.state();
        let layers = state.blobs.iter().filter(|(_, bytes)| bytes.first() != Some(&b'{'));
        let largest = layers.max_by_key(|(key, bytes)| (bytes.len(), key.1.clone()));
        largest.map(|((_, digest), _)| digest.clone()).expect("blobs")
    };
    for (path, act) in [("/blobs/", Act::Flip), (layer.as_str(), Act::Cut(20))] {
        lose(&server);
        other.state().plants.clear();
        other.plant("GET", path, 9999, act.clone());
        let done = restow(&["repair", "--write", "--retry-times", "0", &place, "--from", &from]);
        assert_eq!(done.status.code(), Some(1), "{act:?}: {}", stderr(&done));
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(told.contains("left: sha256:"), "{act:?}: {told}");
        let (blobs, _) = held(&server);
        assert!(blobs.iter().all(|blob| sound.0.contains(blob)), "{act:?}");
        let done = restow(&["repair", "--write", &place, "--from", &from, "--from", &source]);
        assert_eq!(
            done.status.code(),
            Some(0),
            "{act:?}: {}{}",
            String::from_utf8_lossy(&done.stdout),
            stderr(&done)
        );
        assert_eq!(held(&server), sound, "{act:?}");
    }
}

/// Loses what a tag leads to: the registry lists the tag, and answers 404.
fn lose_root(server: &Server) {
    let mut state = server.state();
    let root = state.tags.values().next().expect("a tag").clone();
    state.manifests.retain(|(_, digest), _| *digest != root);
}

#[test]
fn a_tag_whose_manifest_is_gone_is_a_fault_and_comes_back_from_a_place_that_has_it() {
    let server = Server::start(Manner::default());
    let (place, source) = pushed(&server);
    let sound = held(&server);
    lose_root(&server);
    let whole = format!("docker://{}/", server.address);
    let check = restow(&["check", "--report", "json", &whole]);
    let report = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(1), "{}", stderr(&check));
    assert!(report.contains("storage/tag-without-target") && report.contains("team/multi:1"), "{report}");
    // From a place with the tag of another repository nothing is guessed.
    let other = layout("minimal");
    let done = restow(&["repair", "--write", &whole, "--from", &other]);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(1), "{told}{}", stderr(&done));
    assert!(told.contains("left: tag team/multi:1") && told.contains("has no such tag"), "{told}");
    // The source under the name that the registry has it under.
    let copy = tempfile::tempdir().expect("a folder");
    let copy = format!("oci:{}", copy.path().join("copy").display());
    let named = format!("{copy}:{}", place.trim_start_matches("docker://"));
    let made = restow(&["convert", &source, &named]);
    assert!(made.status.success(), "{}", stderr(&made));
    let plan = restow(&["repair", &whole, "--from", &copy]);
    assert_eq!(plan.status.code(), Some(1), "{}", stderr(&plan));
    assert_ne!(held(&server), sound, "a plan sends nothing");
    let done = restow(&["repair", "--write", &whole, "--from", &copy]);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(0), "{told}{}", stderr(&done));
    assert_eq!(held(&server), sound, "{told}");
    assert!(told.contains("tag team/multi:1 -> sha256:"), "{told}");
    assert_eq!(restow(&["check", &whole]).status.code(), Some(0));
}

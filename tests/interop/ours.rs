//! restow's commands, and what is asked of every archive that a tool wrote.

use super::graph::{self, Graph};
use super::source::Image;
use super::tools::{Scene, failure, run};

/// `restow convert`, which must succeed.
pub fn convert(scene: &Scene, args: &[&str]) {
    run(scene.restow().arg("convert").args(args));
}

/// `restow compare`, which must find no difference.
pub fn same(scene: &Scene, a: &str, b: &str) {
    run(scene.restow().args(["compare", a, b]));
}

/// `restow compare`, which must find one.
pub fn differ(scene: &Scene, a: &str, b: &str) {
    wrong(scene, &["compare", a, b]);
}

/// A command that must find something wrong (exit 1); all that it says.
pub fn wrong(scene: &Scene, args: &[&str]) -> String {
    let mut command = scene.restow();
    let out = command.args(args).output().expect("restow starts");
    let said = failure(&command, &out);
    assert_eq!(out.status.code(), Some(1), "{said}");
    said
}

/// What an archive from a tool must turn out to hold.
#[derive(Default, Clone)]
pub struct Expected<'a> {
    /// Images whose config the tool leaves byte for byte.
    pub images: Vec<&'a Image>,
    /// Images of which the tool keeps the layers but writes another config.
    pub layers_of: Vec<&'a Image>,
    /// Parts of names that `inspect` must show.
    pub names: Vec<&'a str>,
    /// Digest that the one root must keep in every form that keeps manifests.
    pub root: Option<&'a str>,
    /// Whether the source holds names that registry storage can hold.
    pub storable: bool,
    /// Whether `dir:` and `legacy` can hold it: one image, not an index.
    pub single: bool,
}

/// Checks, inspects and converts an archive that a tool wrote, and looks at the results without
/// restow where that says more.
pub fn takes(scene: &Scene, place: &str, expected: &Expected<'_>) {
    run(scene.restow().args(["check", place]));
    let shown = run(scene.restow().args(["inspect", "--json", place]));
    let ids = expected.images.iter().map(|image| image.id());
    for text in ids.chain(expected.names.iter().map(|name| (*name).to_owned())) {
        assert!(shown.contains(&text), "inspect --json {place} does not show {text}:\n{shown}");
    }

    let mut forms = vec!["oci:out-oci", "oci-archive:out-oci.tar", "docker-archive:out-docker.tar"];
    if expected.storable {
        forms.push("registry-storage:out-storage");
    }
    for form in forms {
        convert(scene, &[place, form]);
        same(scene, place, form);
    }
    verify(&graph::layout(&scene.path("out-oci")), expected);

    // Back again, through the form that is furthest from a layout.
    convert(scene, &["docker-archive:out-docker.tar", "oci:back"]);
    verify(&graph::layout(&scene.path("back")), expected);
    same(scene, place, "oci:back");

    if expected.single {
        convert(scene, &[place, "dir:out-dir"]);
        verify(&graph::directory(&scene.path("out-dir")), expected);
        convert(scene, &["--docker-format", "legacy", place, "docker-archive:out-legacy.tar"]);
        convert(scene, &["docker-archive:out-legacy.tar", "oci:from-legacy"]);
        let legacy = graph::layout(&scene.path("from-legacy"));
        verify(&legacy, &Expected { root: None, ..expected.clone() });
    }
}

fn verify(graph: &Graph, expected: &Expected<'_>) {
    for image in &expected.images {
        graph.assert_holds(image);
    }
    for image in &expected.layers_of {
        let wanted = image.diff_ids();
        let found = graph.images.values().any(|diff_ids| *diff_ids == wanted);
        assert!(found, "no image has the layers {wanted:?}: {:?}", graph.images);
    }
    if let Some(root) = expected.root {
        assert_eq!(graph.roots, [root]);
    }
}

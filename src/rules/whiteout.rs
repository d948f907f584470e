//! Rules about whiteouts in layers (formats.md D.10.1, H.9).

use crate::finding::{Rule, rule};

/// The rules of this file.
pub const RULES: &[&Rule] =
    &[&NOT_EMPTY_FILE, &BAD_NAME, &HIDES_OWN_PATH, &HIDES_NOTHING, &IN_BASE_LAYER, &REDUNDANT, &AUFS];

rule! {
    /// A whiteout that is more than a mark.
    NOT_EMPTY_FILE = "whiteout/not-empty-file", Warning, No, [168],
    checks: "A whiteout is a regular file of no bytes.",
    matters: "image-spec layer, whiteouts. All known tools take any type and size; what such an entry holds is never unpacked.",
    example: "A directory `.wh.etc`.",
    mend: "Write an empty regular file.",
}
rule! {
    /// A whiteout of nothing, or of a directory by its short name.
    BAD_NAME = "whiteout/bad-name", Error, No, [169],
    checks: "What follows `.wh.` is a name, and neither `.` nor `..`.",
    matters: "image-spec layer: a whiteout without a name is an error; the others would take away a directory or what is above it. umoci and containerd 2 refuse the layer.",
    example: "`etc/.wh.` or `etc/.wh...`",
    mend: "Remove the entry, or give it a name; for all of a directory it is `.wh..wh..opq`.",
    breaks: [Docker, Containerd, Umoci],
}
rule! {
    /// A whiteout of what the same layer holds.
    HIDES_OWN_PATH = "whiteout/hides-own-path", Warning, No, [170],
    checks: "No whiteout names a path that is in the same layer.",
    matters: "image-spec layer: whiteouts apply to lower layers only. If the whiteout comes second, Docker deletes the path, umoci keeps it, and containerd's overlay snapshotter fails.",
    example: "`etc/hosts`, then `etc/.wh.hosts`",
    mend: "Leave out the one that is not meant.",
    breaks: [Containerd],
}
rule! {
    /// A whiteout of what is not there.
    HIDES_NOTHING = "whiteout/hides-nothing", Note, No, [171],
    checks: "Whether whiteouts name paths that a lower layer has.",
    matters: "All tools pass over one that does not; it tells that a file was meant to be here, or that a lower layer was replaced.",
    example: "`tmp/.wh.x` where no lower layer has `tmp/x`",
    mend: "Nothing to mend.",
}
rule! {
    /// A whiteout in the lowest layer.
    IN_BASE_LAYER = "whiteout/in-base-layer", Warning, No, [172],
    checks: "The lowest layer of an image has no whiteouts.",
    matters: "There is nothing below it that could be hidden: probably a lower layer was lost, or the layers are in the wrong order.",
    example: "`etc/.wh.hosts` in layer 0",
    mend: "Check the order and number of layers.",
}
rule! {
    /// Whiteouts beside an opaque one.
    REDUNDANT = "whiteout/redundant", Note, No, [173],
    checks: "Whether a directory has other whiteouts beside `.wh..wh..opq`.",
    matters: "The opaque whiteout hides all that lower layers have in the directory already.",
    example: "`etc/.wh..wh..opq` and `etc/.wh.hosts`",
    mend: "Nothing to mend.",
}
rule! {
    /// Metadata of AUFS.
    AUFS = "whiteout/aufs", Warning, No, [174],
    checks: "A layer has no entries `.wh..wh.NAME` other than `.wh..wh..opq`.",
    matters: "They are metadata of AUFS, with which Docker began. Docker passes over them; other tools take them for whiteouts, or for files.",
    example: "`.wh..wh.plnk/`",
    mend: "Leave them out.",
}

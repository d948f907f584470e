//! Rules about whiteouts in layers (formats.md D.10.1, H.9).

use crate::finding::{Rule, rule};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &NOT_EMPTY_FILE,
    &BAD_NAME,
    &HIDES_OWN_PATH,
    &BEFORE_DIRECTORY,
    &BELOW_WHITEOUT,
    &BELOW_FILE,
    &BELOW_LOWER_LINK,
    &BELOW_REMOVED,
    &HIDES_NOTHING,
    &IN_BASE_LAYER,
    &REDUNDANT,
    &AUFS,
];

rule! {
    /// A whiteout that is more than a mark.
    NOT_EMPTY_FILE = "whiteout/not-empty-file", Warning, No, [168],
    checks: "A whiteout is a regular file of no bytes.",
    matters: "image-spec layer, whiteouts. All known tools take any type and size; what such an entry holds is never unpacked.",
    example: "A directory `.wh.etc`.",
    mend: "Write an empty regular file.",
    breaks: [Buildah],
}
rule! {
    /// A whiteout of nothing, or of a directory by its short name.
    BAD_NAME = "whiteout/bad-name", Error, No, [169],
    checks: "What follows `.wh.` is a name, and neither `.` nor `..`.",
    matters: "image-spec layer: a whiteout without a name is an error; the others would take away a directory or what is above it. umoci and containerd 2 refuse the layer.",
    example: "`etc/.wh.` or `etc/.wh...`",
    mend: "Remove the entry, or give it a name; for all of a directory it is `.wh..wh..opq`.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A whiteout of what the same layer holds.
    HIDES_OWN_PATH = "whiteout/hides-own-path", Error, No, [170],
    checks: "A whiteout of a path that is in the same layer comes before it, and a directory of that path before what is in it.",
    matters: "image-spec layer: whiteouts apply to lower layers only. Where each layer is unpacked into a directory of its own (overlay: the default of Docker, containerd and podman) the whiteout is a device at that path: it cannot be made where something is (`file exists`), and nothing can be made below it (`not a directory`). umoci keeps the path.",
    example: "`etc/hosts`, then `etc/.wh.hosts`; or `.wh.etc`, then `etc/hosts` without an entry `etc/` between them.",
    mend: "Leave out the one that is not meant, or put the whiteout first.",
    breaks: [Docker, Containerd, Podman, Buildah],
}
rule! {
    /// A directory that is hidden and made anew in one layer.
    BEFORE_DIRECTORY = "whiteout/before-directory", Note, No, [170],
    checks: "Whether a layer has a whiteout and behind it a directory of the same path, which a lower layer has, too.",
    matters: "image-spec layer: what lower layers have in the directory is hidden. On overlay file systems the new directory takes the whiteout's place and is not opaque: Docker, containerd, podman and buildah show what was to be hidden. umoci does not.",
    example: "`.wh.srv`, then `srv/` and `srv/new`, above a layer that has `srv/old`.",
    mend: "Write `srv/` and in it `.wh..wh..opq`, in place of `.wh.srv`.",
    breaks: [Docker, Containerd, Podman, Buildah],
}
rule! {
    /// A whiteout below a whiteout.
    BELOW_WHITEOUT = "whiteout/below-whiteout", Error, No, [170],
    checks: "No whiteout lies below a path that the same layer whites out.",
    matters: "The upper one hides what the lower one names, which can therefore be left out. Where each layer is unpacked into a directory of its own (overlay) one of the two cannot be made: Docker and containerd fail (`not a directory`, `file exists`) in either order, podman and buildah if the lower one comes first.",
    example: "`.wh.srv` and `srv/.wh.old`",
    mend: "Leave out the lower one.",
    breaks: [Docker, Containerd],
}
rule! {
    /// A whiteout below a file.
    BELOW_FILE = "whiteout/below-file", Error, No, [164],
    checks: "What a whiteout lies below is not a file, of the same layer or left by a lower one.",
    matters: "There is nothing to hide. Docker and containerd fail (`not a directory`) if the file is in the same layer; if it is in a lower one Docker puts an empty directory in its place, and containerd fails if the whiteout lies further below.",
    example: "`srv` is a file, and then comes `srv/.wh.old`.",
    mend: "Leave out the whiteout.",
    breaks: [Docker],
}
rule! {
    /// A whiteout through a link of a lower layer.
    BELOW_LOWER_LINK = "whiteout/below-lower-link", Warning, No, [163],
    checks: "No whiteout lies below a symbolic link of a lower layer.",
    matters: "Docker puts an empty directory in the link's place, umoci removes the file that the link leads to, containerd and podman do nothing. So images differ.",
    example: "A lower layer has `var/run` as a link to `/run`, this one has `var/run/.wh.app`.",
    mend: "Write the whiteout where the link leads (`run/.wh.app`).",
    breaks: [Docker, Umoci],
}
rule! {
    /// A whiteout below what is gone.
    BELOW_REMOVED = "whiteout/below-removed", Error, No, [171],
    checks: "No whiteout lies in a directory below one that a lower layer took away, unless its own layer has that anew before it.",
    matters: "There is nothing to hide. containerd fails (`not a directory`), and Docker makes the directories above the whiteout anew, empty.",
    example: "Layer 1 has `.wh.srv`, layer 2 `srv/log/.wh.old`.",
    mend: "Leave out the whiteout, or put the directories above it first.",
    breaks: [Docker, Containerd],
}
rule! {
    /// A whiteout of what is not there.
    HIDES_NOTHING = "whiteout/hides-nothing", Note, No, [171],
    checks: "Whether whiteouts name paths that a lower layer has, and that none between took away.",
    matters: "It does nothing, but that Docker makes the directory that it lies in, if that is not there. It tells that a file was meant to be here, or that a lower layer was replaced.",
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

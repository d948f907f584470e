//! Rules about the entries of layers, alone, beside each other and upon lower layers (formats.md H.9).

use crate::finding::{Rule, rule};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &ABSOLUTE_NAME,
    &ESCAPING_NAME,
    &EMPTY_NAME,
    &ABSOLUTE_HARD_LINK,
    &ESCAPING_HARD_LINK,
    &ESCAPING_SYMLINK,
    &ABSOLUTE_SYMLINK,
    &NOT_UTF8,
    &LONG_PATH,
    &DEVICE,
    &SET_ID,
    &CAPABILITY,
    &BAD_CAPABILITY,
    &SECURITY_XATTR,
    &OVERLAY_WHITEOUT,
    &OVERLAY_XATTR,
    &OWNER_NAME,
    &DUPLICATE_PATH,
    &BELOW_ESCAPING_LINK,
    &BELOW_LINK,
    &BELOW_RESOLVED_LINK,
    &BELOW_FILE,
    &PARENT_AFTER_CHILD,
    &PARENT_MISSING,
    &CASE_COLLISION,
    &HARD_LINK_TO_DIRECTORY,
    &HARD_LINK_TARGET_MISSING,
    &HARD_LINK_THROUGH_LINK,
    &HARD_LINK_TO_LOWER,
    &WINDOWS_ROOT,
    &WINDOWS_LAYER,
    &BELOW_LOWER_LINK,
    &NOT_JUDGED,
];

rule! {
    /// A path that begins with `/`.
    ABSOLUTE_NAME = "entry/absolute-name", Warning, No, [161],
    checks: "Paths in a layer are relative.",
    matters: "image-spec layer. Container tools drop the `/`; other programs that unpack a tar may not.",
    example: "`/etc/passwd`",
    mend: "Make the layer with relative names.",
}
rule! {
    /// A path that leaves the root.
    ESCAPING_NAME = "entry/escaping-name", Error, No, [162],
    checks: "No path in a layer leaves the root through `..`.",
    matters: "Programs that do not guard against it write outside of the container's root. Recent Docker refuses it (`breakout`), containerd and older Docker stop at the root.",
    example: "`../etc/passwd`",
    mend: "Do not use the image; nothing but an attack or a broken tool writes such a path.",
    breaks: [Buildah],
}
rule! {
    /// An entry without a name.
    EMPTY_NAME = "entry/empty-name", Warning, No, [183],
    checks: "No entry of a layer but a directory has an empty name, or is the root by its name.",
    matters: "Such an entry is the root itself, which can be nothing but a directory. umoci refuses the layer, buildah fails when it commits an image upon it, and Docker, containerd and podman pass over the entry or write it where nobody looks.",
    example: "A file whose name is the empty text, or `.`.",
    mend: "Leave the entry out, or give it a name.",
    breaks: [Buildah, Umoci],
}
rule! {
    /// A hard link with an absolute target.
    ABSOLUTE_HARD_LINK = "entry/absolute-hard-link", Warning, No, [166],
    checks: "Targets of hard links in a layer are relative, as paths are.",
    matters: "image-spec layer: paths in a layer are relative to its root. The tools that were tried take the `/` away; Docker 29.7 refused such a layer (github.com/moby/go-archive, issue 99).",
    example: "`usr/bin/perlthanks`, a hard link to `/usr/bin/perlbug`.",
    mend: "Write the target without the `/`.",
}
rule! {
    /// A hard link out of the root.
    ESCAPING_HARD_LINK = "entry/escaping-hard-link", Error, No, [166],
    checks: "No target of a hard link in a layer leaves the root through `..`.",
    matters: "A program that does not guard against it links to a file of the host, through which the container can change it. Docker refuses it (`invalid hardlink`).",
    example: "A hard link to `../../etc/shadow`.",
    mend: "Do not use the image; nothing but an attack or a broken tool writes such a link.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A symbolic link that climbs above the root.
    ESCAPING_SYMLINK = "entry/escaping-symlink", Warning, No, [167],
    checks: "No relative target of a symbolic link in a layer climbs above the root.",
    matters: "Inside a container the root is its own parent, so the link works; in a folder that the layer was unpacked to it points outside. Scanners that follow it read files of the host.",
    example: "`dir/link` with the target `../../secret`",
    mend: "Shorten the target, or make it absolute.",
}
rule! {
    /// An absolute symbolic link.
    ABSOLUTE_SYMLINK = "entry/absolute-symlink", Note, No, [167],
    checks: "Whether symbolic links in a layer have absolute targets.",
    matters: "They are ordinary, and resolved inside the container; in a folder that the layer was unpacked to they point to files of the host.",
    example: "`usr/bin/vi` with the target `/etc/alternatives/vi`",
    mend: "Nothing to mend.",
    optional: true,
}
rule! {
    /// A path that is not UTF-8.
    NOT_UTF8 = "entry/path-not-utf8", Warning, No, [183],
    checks: "Paths in a layer are UTF-8.",
    matters: "POSIX pax demands it. Linux takes any bytes; macOS, Windows, and programs that list files as JSON do not.",
    example: "A name in Latin-1.",
    mend: "Rename the file and make the layer anew.",
}
rule! {
    /// A path that is too long.
    LONG_PATH = "entry/path-too-long", Warning, No, [183],
    checks: "Paths in a layer have at most 4096 bytes, and each name in them at most 255.",
    matters: "Linux takes no longer ones (`ENAMETOOLONG`), so the layer cannot be unpacked.",
    example: "A name of 300 letters.",
    mend: "Rename the file and make the layer anew.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A device.
    DEVICE = "entry/device", Note, No, [176],
    checks: "Whether a layer has character or block devices.",
    matters: "Worth a look before an image is trusted: whoever may open it has the device. Unpacking it needs privileges, so rootless tools skip it or fail.",
    example: "`dev/sda`, a disk",
    mend: "Leave devices out: runtimes make the usual ones.",
}
rule! {
    /// A setuid or setgid file.
    SET_ID = "entry/set-id", Note, No, [176],
    checks: "Whether a layer has files that run as their owner or group (setuid, setgid).",
    matters: "Worth a look before an image is trusted: each is a way to more rights inside the container. Base images of distributions have some.",
    example: "`usr/bin/passwd` with mode 4755",
    mend: "Nothing to mend, if it is meant to be so; else take the bits off the mode.",
}
rule! {
    /// A file with capabilities.
    CAPABILITY = "entry/capability", Note, No, [176],
    checks: "Whether a layer has files with capabilities (`security.capability`).",
    matters: "Worth a look before an image is trusted: whoever runs the file has them. They are lost where it is unpacked without privileges.",
    example: "`usr/bin/ping` with `cap_net_raw`",
    mend: "Nothing to mend, if it is meant to be so; else take the capabilities off.",
}
rule! {
    /// Capabilities that no kernel takes.
    BAD_CAPABILITY = "entry/bad-capability", Error, No, [176],
    checks: "The value of `security.capability` is of revision 2 and 20 bytes long, or of revision 3 and 24.",
    matters: "The kernel takes no other (`invalid argument`), so no tool that unpacks with privileges can unpack the layer.",
    example: "A value in text (`cap_net_raw+ep`) instead of the 20 bytes that it means.",
    mend: "Make the layer anew, from a file whose capabilities are whole.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// Extended attributes of security modules.
    SECURITY_XATTR = "entry/security-attribute", Note, No, [189],
    checks: "Whether a layer has extended attributes in `security.` other than capabilities.",
    matters: "Labels of SELinux, IMA or Smack belong to the machine that the layer was made on. They are set where it is unpacked with privileges.",
    example: "`security.selinux`",
    mend: "Make the layer without them.",
}
rule! {
    /// A whiteout as overlay file systems have it.
    OVERLAY_WHITEOUT = "entry/overlay-whiteout", Warning, No, [175],
    checks: "A layer has no character devices 0/0.",
    matters: "That is how an overlay file system marks a deleted file. In a layer it is a device, which is unpacked as one; a layer marks it by a file `.wh.NAME`.",
    example: "The upper directory of an overlay mount that was packed as it is.",
    mend: "Write `.wh.NAME`, an empty file, instead.",
    breaks: [Docker, Containerd, Podman, Buildah],
}
rule! {
    /// Attributes of overlay file systems.
    OVERLAY_XATTR = "entry/overlay-attribute", Warning, No, [175],
    checks: "A layer has no extended attributes in `trusted.overlay.` or `user.overlay.`.",
    matters: "They are how an overlay file system marks opaque directories and moved files. In a layer they mean nothing, and upset the overlay that they are unpacked into.",
    example: "`trusted.overlay.opaque`",
    mend: "Write `.wh..wh..opq` into the directory, or whole files, instead.",
    breaks: [Docker, Podman, Buildah],
}
rule! {
    /// Names of owners.
    OWNER_NAME = "entry/owner-name", Note, No, [182],
    checks: "Whether entries of a layer have user and group names beside their numbers.",
    matters: "image-spec layer: names SHOULD be ignored. They tell something of the machine that the layer was made on, and change its digest.",
    example: "The user name `jenkins`.",
    mend: "Make the layer with numbers alone.",
    optional: true,
}
rule! {
    /// A path that stands twice.
    DUPLICATE_PATH = "entry/duplicate-path", Error, No, [160],
    checks: "No path stands twice in a layer, whichever way it is written.",
    matters: "image-spec layer: duplicates MUST NOT occur. Docker's classic store and podman refuse the layer (`duplicates of file paths not supported`), as does `crane validate`; containerd and umoci take the last. So tools see different files.",
    example: "`etc/hosts` and `./etc/hosts`",
    mend: "Make the layer anew; tools that add to a tar write duplicates.",
    breaks: [Docker, Podman, Buildah],
}
rule! {
    /// An entry through a link that leaves the root.
    BELOW_ESCAPING_LINK = "entry/below-escaping-link", Error, No, [163],
    checks: "No entry of a layer lies below a symbolic link, of the same layer or a lower one, that climbs above the root.",
    matters: "A program that follows the link writes outside of the container's root: the way of many attacks on programs that unpack tars. Container tools resolve it inside the root.",
    example: "`a` is a link to `../../tmp`, and then comes `a/file`.",
    mend: "Do not use the image; nothing but an attack or a broken tool writes such entries.",
    breaks: [Docker, Podman, Buildah],
}
rule! {
    /// An entry through a link out of its layer.
    BELOW_LINK = "entry/below-link", Error, No, [163],
    checks: "No entry or whiteout of a layer lies below a symbolic link of the same layer that leads to no directory of that layer.",
    matters: "Where each layer is unpacked into a directory of its own (overlay: the default of Docker, containerd and podman), what the link leads to is in another layer or nowhere. Docker, podman and buildah fail (`no such file or directory`); containerd and umoci make the directory that the link leads to.",
    example: "`run` is a link to `var/run`, which a lower layer has, and then comes `run/app.pid`.",
    mend: "Write the entry where the link leads.",
    breaks: [Docker, Podman, Buildah],
}
rule! {
    /// An entry through a link within its layer.
    BELOW_RESOLVED_LINK = "entry/below-resolved-link", Note, No, [163],
    checks: "Whether entries or whiteouts of a layer lie below a symbolic link that leads to a directory of the same layer.",
    matters: "The tools that were tried follow the link, so the file stands where it leads. Programs that only list the layer see it at the path that is written.",
    example: "`run/` is a directory, `var/run` a link to `/run`, and then comes `var/run/app.pid`.",
    mend: "Write the entry where the link leads.",
}
rule! {
    /// An entry below a file.
    BELOW_FILE = "entry/below-file", Error, No, [164],
    checks: "What an entry of a layer lies below is not a file, device or hard link, of the same layer or left by a lower one.",
    matters: "It cannot be unpacked: every tool fails (`not a directory`).",
    example: "`a` is a file, and then comes `a/b`.",
    mend: "Make the layer anew.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// An entry through a link of a lower layer.
    BELOW_LOWER_LINK = "entry/below-lower-link", Warning, No, [163],
    checks: "No entry of a layer lies below a symbolic link of a lower layer.",
    matters: "Tools that write layers without unpacking those below (ko, jib, bazel) do so. Where each layer is unpacked into a directory of its own (overlay: the default of Docker, containerd and podman) the entry brings a directory that replaces the link: what was found through the link is not found any more. umoci, which unpacks all layers into one directory, follows the link.",
    example: "A lower layer has `var/run` as a link to `/run`, this one has `var/run/app`.",
    mend: "Write the entry where the link leads.",
    breaks: [Docker, Containerd, Podman, Buildah],
}
rule! {
    /// What the limits kept from being judged.
    NOT_JUDGED = "entry/not-judged", Error, No, [163, 244],
    checks: "All entries of a layer can be judged: none lies below more than 256 directories, the layer has no more paths than the limit `layer-paths`, no more than 65,536 symbolic links (8 MiB of them) where some have a `..`, none of these stands twice with two targets on the way of another, and it asks no more of lower layers than can be looked up in half a minute.",
    matters: "What cannot be judged cannot be called sound. No tool writes such layers; an attack may, to hide an entry behind them.",
    example: "A path of 300 directories.",
    mend: "Make the layer anew; nothing that is meant to be unpacked has such paths.",
}
rule! {
    /// A directory after its content.
    PARENT_AFTER_CHILD = "entry/parent-after-child", Note, No, [186],
    checks: "Whether directories of a layer come before what is in them.",
    matters: "The directory is made with default attributes first and mended later; all tools cope.",
    example: "`a/b`, then `a/`",
    mend: "Nothing to mend.",
}
rule! {
    /// A directory that is nowhere.
    PARENT_MISSING = "entry/parent-missing", Note, No, [185],
    checks: "Whether the directories above the entries of a layer are in that layer or a lower one.",
    matters: "Missing ones are made with mode 0755 and owner root, by all tools.",
    example: "The only entry of a base layer is `usr/bin/app`.",
    mend: "Nothing to mend, unless the directories should have other owners or modes.",
}
rule! {
    /// Paths that differ in case only.
    CASE_COLLISION = "entry/case-collision", Note, No, [184],
    checks: "Whether two paths of a layer differ in letter case or Unicode form only.",
    matters: "Where that makes no difference (macOS, Windows) one replaces the other.",
    example: "`Makefile` and `makefile`",
    mend: "Rename one, if the layer is unpacked on such systems.",
    optional: true,
}
rule! {
    /// A hard link to a directory.
    HARD_LINK_TO_DIRECTORY = "entry/hard-link-to-directory", Error, No, [165],
    checks: "No hard link in a layer has a directory as its target.",
    matters: "Linux has no such links: every tool fails when it unpacks the layer.",
    example: "`b` is a hard link to `a/`.",
    mend: "Make it a symbolic link.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A hard link to nothing.
    HARD_LINK_TARGET_MISSING = "entry/hard-link-target-missing", Error, No, [165],
    checks: "The target of a hard link stands before it in the same layer, or in a lower layer that nothing above took away; or a symbolic link on the way may lead to it.",
    matters: "image-spec layer, hard links. Every tool fails when it unpacks the layer (`no such file or directory`).",
    example: "`b` is a hard link to `a`, which comes after it or is nowhere.",
    mend: "Put the target before the link, or write the file itself.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A hard link whose target lies below a symbolic link.
    HARD_LINK_THROUGH_LINK = "entry/hard-link-through-link", Warning, No, [165],
    checks: "No target of a hard link leads through a symbolic link. Whether it is where the link leads is not looked up.",
    matters: "image-spec layer: the target is a path from the root. Docker, containerd, podman and umoci resolve the symbolic link inside the root, if it is in the same layer (Docker 20.10, containerd 1.6, podman 4.3 and umoci 0.4.7 were tried); GNU tar fails where it is absolute.",
    example: "`lib` is a link to `usr/lib`, and `b` a hard link to `lib/x`.",
    mend: "Write the target as the path where the link leads.",
}
rule! {
    /// A hard link to a file of a lower layer.
    HARD_LINK_TO_LOWER = "entry/hard-link-to-lower-layer", Warning, No, [165],
    checks: "The target of a hard link is in its own layer.",
    matters: "image-spec layer allows targets in lower layers. Where each layer is unpacked into a directory of its own (overlay: the default of Docker, containerd and podman) the target is not there, and they fail with `no such file or directory`: tried with Docker 20.10 (overlay2), containerd 1.6 and podman 4.3; umoci and Docker's vfs driver link.",
    example: "Layer 0 has `a`, layer 1 nothing but a hard link to it.",
    mend: "Write the target into the layer as well, before the link.",
    breaks: [Docker, Containerd, Podman, Buildah],
}
rule! {
    /// Something else at the root of a Windows layer.
    WINDOWS_ROOT = "entry/windows-root", Warning, No, [187],
    checks: "Layers of a Windows image have nothing at their root but `Files`, `Hives` and `UtilityVM`.",
    matters: "Windows' unpacker (hcsshim) knows no others and fails, or drops them.",
    example: "`app/app.exe` instead of `Files/app/app.exe`",
    mend: "Put files below `Files/`.",
    breaks: [Docker, Umoci],
}
rule! {
    /// A Windows layer in another image.
    WINDOWS_LAYER = "entry/windows-layer", Warning, No, [187],
    checks: "A layer with nothing but `Files`, `Hives` and `UtilityVM` at its root belongs to an image whose config says `windows`.",
    matters: "Elsewhere it unpacks into a directory `Files`, which no program looks into.",
    example: "A config without `os` above Windows layers.",
    mend: "Set `os` to `windows` in the config.",
}

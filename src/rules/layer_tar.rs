//! Rules about the tar of a layer as a tar (formats.md H.9): what readers of tars refuse, or read differently.

use crate::finding::{Rule, rule};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &BAD_HEADER,
    &TRUNCATED,
    &LONE_ZERO_BLOCK,
    &NO_END,
    &HIDDEN_DATA,
    &HIDDEN_ENTRIES,
    &BAD_EXTENSION,
    &EXTENSION_TOO_LARGE,
    &AMBIGUOUS_EXTENSION,
    &GLOBAL_OVERRIDE,
    &BAD_NUMBER,
    &UNKNOWN_TYPE,
    &GNU_SPARSE,
    &SPARSE,
    &SIZE_ON_NON_FILE,
    &OWNER_OUT_OF_RANGE,
    &TIME_OUT_OF_RANGE,
    &TOO_MANY_ENTRIES,
];

rule! {
    /// A header of a layer's tar with a wrong checksum.
    BAD_HEADER = "tar/bad-header", Error, No, [159],
    checks: "A layer is a tar: every header has a correct checksum. Nothing behind a broken one can be read.",
    matters: "image-spec layer; POSIX ustar. Every tool fails when it unpacks the layer, most with `archive/tar: invalid tar header`.",
    example: "A layer that is not a tar at all, such as a single file that was compressed.",
    mend: "Make the layer anew.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A layer's tar that breaks off.
    TRUNCATED = "tar/truncated", Error, No, [159],
    checks: "The tar of a layer does not end inside an entry.",
    matters: "The bytes are those that the diff ID promises, so the layer was broken when the image was made. Every tool fails when it unpacks it (`unexpected EOF`).",
    example: "A tar whose last file is announced with 1000 bytes, of which 200 are there.",
    mend: "Make the layer anew.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A block of zeros between entries.
    LONE_ZERO_BLOCK = "tar/lone-zero-block", Error, No, [159],
    checks: "A block of zeros in the tar of a layer is followed by another, which ends the tar.",
    matters: "Go's `archive/tar`, with which all loaders read layers, fails at a single one; GNU tar warns and goes on.",
    example: "Two tars put one after the other, of which the first lost one of its two end blocks.",
    mend: "Make the layer anew.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A tar without its end.
    NO_END = "tar/no-end", Note, No, [6, 159],
    checks: "The tar of a layer ends with two blocks of zeros, and its last entry is padded to a whole block.",
    matters: "POSIX demands both; every loader accepts a tar without them. It looks like one that was cut between two entries, and nothing can tell whether it was.",
    example: "A tar written by a program that did not close its writer.",
    mend: "Nothing to mend, if nothing is missing.",
}
rule! {
    /// Bytes behind the end of a layer's tar.
    HIDDEN_DATA = "tar/hidden-data", Warning, No, [188],
    checks: "Nothing but zeros follows the two blocks that end the tar of a layer.",
    matters: "What is there is part of the diff ID, and no tool shows it: room for anything.",
    example: "A layer with a text appended to its tar.",
    mend: "Make the layer anew, unless you know why the bytes are there.",
}
rule! {
    /// Entries behind the end of a layer's tar.
    HIDDEN_ENTRIES = "tar/hidden-entries", Warning, No, [188],
    checks: "No further entries follow the two blocks that end the tar of a layer.",
    matters: "Loaders stop at the end blocks; `tar --ignore-zeros` and some scanners go on. So they see different files.",
    example: "Two tars put one after the other by `cat`.",
    mend: "Join tars without the end blocks between them.",
}
rule! {
    /// A PAX header or long name that readers refuse.
    BAD_EXTENSION = "tar/bad-extension", Error, No, [179],
    checks: "PAX headers and GNU long names in the tar of a layer are well-formed: record lengths, line feeds, keys, numbers, no NUL in a path.",
    matters: "POSIX pax. Go's `archive/tar` refuses the tar (`invalid tar header`), so no loader unpacks the layer; other readers pass over the record and see another file.",
    example: "A record `30 mtime=1748089464.951928467a`.",
    mend: "Make the layer anew.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// An extension header above the limit.
    EXTENSION_TOO_LARGE = "tar/extension-too-large", Error, No, [179, 243],
    checks: "A PAX header or long name in a layer is not larger than the limit `extension-bytes`, 1 MiB by default.",
    matters: "Readers hold it in memory as a whole. Go's `archive/tar` refuses more than 1 MiB.",
    example: "A GNU long name of 2 GiB.",
    mend: "Make the layer anew, or raise the limit if the archive is trusted.",
    remedy: Raise("extension-bytes"),
}
rule! {
    /// Extension headers that readers understand differently.
    AMBIGUOUS_EXTENSION = "tar/ambiguous-extension", Warning, No, [179],
    checks: "An entry of a layer has at most one header of each kind before it, with no record twice, no two different names, and no two different sizes, nor a size behind a NUL, nor a record without the value that it is for, nor records of a sparse file before what is none; and no such header stands alone at the end.",
    matters: "Readers take the first or the last, so that they see other files than each other (CVE-2025-62518 is one such case): a way to hide a file from a scanner.",
    example: "Two GNU long names before one entry.",
    mend: "Make the layer anew with one writer of tars.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A global header that renames.
    GLOBAL_OVERRIDE = "tar/global-override", Warning, No, [14],
    checks: "PAX global headers in a layer set no path, link target or size.",
    matters: "POSIX applies them to all entries that follow. Docker and containerd ignore them; other readers of tars do not.",
    example: "A global header with `path=x`.",
    mend: "Make the layer anew. The comment that `git archive` writes is harmless.",
    breaks: [Umoci],
}
rule! {
    /// A header field that is no number.
    BAD_NUMBER = "tar/bad-number", Error, No, [159],
    checks: "Numeric fields of headers in a layer are octal numbers, or base-256 ones where they are large.",
    matters: "POSIX ustar. Go's `archive/tar` refuses the tar, so no loader unpacks the layer.",
    example: "A mode of `abcdefg`.",
    mend: "Make the layer anew.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A type flag that nobody knows.
    UNKNOWN_TYPE = "tar/unknown-type", Error, No, [177],
    checks: "Entries of a layer are files, directories, links, devices or FIFOs.",
    matters: "image-spec layer, file types. Docker, containerd and podman fail with `unhandled tar header type`.",
    example: "A volume header of GNU tar (`V`), or a multi-volume part (`M`).",
    mend: "Make the layer anew, with types that tools know.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A sparse file in GNU's old form.
    GNU_SPARSE = "tar/gnu-sparse", Error, No, [178],
    checks: "A layer has no sparse files in GNU's old form (type flag `S`).",
    matters: "image-spec layer: sparse files SHOULD NOT be used. No loader unpacks a layer with one of this form (`unhandled tar header type 83`), though Go's `archive/tar` reads it.",
    example: "What `tar --sparse --format=gnu` writes.",
    mend: "Make the layer anew, with whole files.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A sparse file.
    SPARSE = "tar/sparse", Warning, No, [178],
    checks: "A layer has no sparse files in the forms of PAX.",
    matters: "image-spec layer: they SHOULD NOT be used, since few readers know all four ways of writing them. What is written in Go expands them; others take the map for content.",
    example: "A disk image that `tar --sparse --format=pax` packed.",
    mend: "Make the layer anew, with whole files.",
}
rule! {
    /// A directory or link with a size.
    SIZE_ON_NON_FILE = "tar/size-on-non-file", Warning, No, [180],
    checks: "Directories, links, devices and FIFOs in a layer have no size.",
    matters: "Go and Python step over no data after them whatever the size says; others step over it, and read other entries.",
    example: "A symbolic link with size 512.",
    mend: "Make the layer anew.",
    breaks: [Buildah],
}
rule! {
    /// An owner that no file system holds.
    OWNER_OUT_OF_RANGE = "tar/owner-out-of-range", Warning, No, [181],
    checks: "User and group IDs in a layer are between 0 and 4294967294.",
    matters: "Linux holds no other; unpacking as root fails, or changes the owner.",
    example: "A user ID of -1.",
    mend: "Set another owner and make the layer anew.",
}
rule! {
    /// A time that no file system holds.
    TIME_OUT_OF_RANGE = "tar/time-out-of-range", Warning, No, [181],
    checks: "Modification times in a layer are between the years 1901 and 2446, which ext4 can hold.",
    matters: "Other times are cut to what the file system holds, so that the unpacked file differs from its layer.",
    example: "A file from the year 3000.",
    mend: "Set another time and make the layer anew.",
}
rule! {
    /// More entries than the limit.
    TOO_MANY_ENTRIES = "tar/too-many-entries", Error, No, [244],
    checks: "A layer has no more entries than the limit `entries`, 10,000,000 by default. What comes after them is not judged.",
    matters: "Each costs an inode where it is unpacked, and time and disk in every tool that looks into the layer.",
    example: "A layer of 50 million empty files, which is 100 MB when compressed.",
    mend: "If it is meant to be so large, raise the limit.",
    remedy: Raise("entries"),
}

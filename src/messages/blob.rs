//! Messages about blobs: missing, of another digest, cut.

use super::message::{Message, Printed, Seen};

pub(super) const ALL: &[Message] = &[
    Message {
        name: "blob-missing-in-the-layout",
        patterns: &[
            "reading blob sha256:*: open *: no such file or directory",
            "reading blob sha256:*: file does not exist",
            "open */blobs/sha256/*: no such file or directory",
        ],
        printed: &[
            Printed {
                tool: "podman 4.3.1",
                words: "reading blob sha256:a3ed95caeb02…: open …/a3ed95caeb02…: no such file or directory",
            },
            Printed {
                tool: "podman 5.4.2",
                words: "reading blob sha256:a3ed95caeb02…: open …/a3ed95caeb02…: no such file or directory",
            },
            Printed {
                tool: "skopeo 1.9.3",
                words: "reading blob sha256:a3ed95caeb02…: open …/a3ed95caeb02…: no such file or directory",
            },
            Printed {
                tool: "crane 0.20.1",
                words: "open …/blobs/sha256/a3ed95caeb02…: no such file or directory",
            },
        ],
        thread: None,
        means: "a layer that a manifest lists is not in the layout",
        rules: &["blob/missing"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/missing"),
    },
    Message {
        name: "layer-not-in-the-store",
        patterns: &[
            "failed to extract layer sha256:*: failed to get reader from content store: content digest sha256:*: not found",
        ],
        printed: &[
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:5f70bf18a086…: failed to get reader from content store: content digest sha256:a3ed95caeb02…: not found",
            },
            Printed {
                tool: "containerd 1.7.24",
                words: "failed to extract layer sha256:5f70bf18a086…: failed to get reader from content store: content digest sha256:a3ed95caeb02…: not found",
            },
        ],
        thread: None,
        means: "a layer is missing in what was imported, or hashes to another digest and was stored under that",
        rules: &["blob/missing", "blob/digest-mismatch"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/missing"),
    },
    Message {
        name: "content-digest-not-found",
        patterns: &["content digest sha256:*: not found"],
        printed: &[
            Printed { tool: "containerd 1.6.20", words: "content digest sha256:577bec85351b…: not found" },
            Printed { tool: "containerd 1.7.24", words: "content digest sha256:577bec85351b…: not found" },
        ],
        thread: None,
        means: "a manifest or config that an index names was not in the archive: often the other platforms of an image that was saved for one",
        rules: &["blob/missing"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/missing-manifest"),
    },
    Message {
        name: "kind-load-all-platforms",
        patterns: &["ctr: content digest sha256:*: not found", "images import --all-platforms"],
        printed: &[Printed {
            tool: "kind 0.32.0 with containerd 2.2.2",
            words: "ctr: content digest sha256:b1addbe72465a718643cff9e60a58e6df1841e29d6d7d60c9a85d8d72f08d1a7: not found",
        }],
        thread: Some("https://github.com/kubernetes-sigs/kind/issues/4224"),
        means: "`docker save` kept the index and the platform that was pulled, and kind asks for all of them",
        rules: &[],
        prove: "restow inspect IMAGE",
        mend: "restow convert --present-only IMAGE docker-archive:mended.tar",
        seen: Seen::Case("good/docker-archive/ctr-2.4-sparse"),
    },
    Message {
        name: "unknown-blob",
        patterns: &["unknown blob", "blob unknown to registry", "MANIFEST_BLOB_UNKNOWN"],
        printed: &[
            Printed { tool: "docker 20.10.24", words: "unknown blob" },
            Printed {
                tool: "registry 2.8.2",
                words: "400 MANIFEST_BLOB_UNKNOWN blob unknown to registry \"sha256:a3ed95caeb02…\"",
            },
            Printed {
                tool: "crane 0.20.1",
                words: "PUT http://localhost:5900/v2/d/digest-mismatch-config/manifests/1: MANIFEST_BLOB_UNKNOWN: blob unknown to registry; sha256:3d5680533031…",
            },
        ],
        thread: None,
        means: "the registry has the manifest and lacks a blob of it, or was sent a manifest before its blobs",
        rules: &["blob/missing"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/missing"),
    },
    Message {
        name: "config-not-found",
        patterns: &[
            "failed to resolve rootfs: content digest sha256:*: not found",
            "parsing image configuration: open *: no such file or directory",
            "reading config blob sha256:*: open *: no such file or directory",
        ],
        printed: &[
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to resolve rootfs: content digest sha256:3d5680533031…: not found",
            },
            Printed {
                tool: "podman 4.3.1",
                words: "parsing image configuration: open …/3d5680533031…: no such file or directory",
            },
            Printed {
                tool: "skopeo 1.9.3",
                words: "reading config blob sha256:3d5680533031…: open …/3d5680533031…: no such file or directory",
            },
        ],
        thread: None,
        means: "the config that the manifest names is not there",
        rules: &["blob/missing"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/missing-config"),
    },
    Message {
        name: "config-member-not-found",
        patterns: &[
            "image config * not found",
            "determining manifest MIME type for docker-archive:*: loading tar component *: file does not exist",
        ],
        printed: &[
            Printed { tool: "containerd 1.6.20", words: "image config \"\" not found" },
            Printed {
                tool: "podman 5.4.2",
                words: "determining manifest MIME type for docker-archive:archive.tar: loading tar component \"\": file does not exist",
            },
        ],
        thread: None,
        means: "manifest.json names a config that is not in the archive",
        rules: &["docker-archive/config-missing", "blob/missing"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/docker-archive/config-missing"),
    },
    Message {
        name: "layer-tars-missing",
        patterns: &[
            "Some layer tarfiles are missing in the tarball",
            "failed to resolve layers: layer * not found",
            "file *.tar not found in tar",
        ],
        printed: &[
            Printed {
                tool: "podman 4.3.1",
                words: "determining manifest MIME type for docker-archive:archive.tar: Some layer tarfiles are missing in the tarball",
            },
            Printed {
                tool: "skopeo 1.18.0",
                words: "determining manifest MIME type for docker-archive:archive.tar: Some layer tarfiles are missing in the tarball",
            },
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to resolve layers: layer \"5f70bf18a086….tar\" not found",
            },
            Printed {
                tool: "crane 0.20.1",
                words: "failed to read image archive.tar: file 5f70bf18a086….tar not found in tar",
            },
        ],
        thread: None,
        means: "manifest.json names a layer that is not in the archive under that name",
        rules: &["blob/missing"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/missing-in-docker-archive"),
    },
    Message {
        name: "path-with-backslash",
        patterns: &["/a*.tar: no such file or directory"],
        printed: &[Printed {
            tool: "docker 20.10.24",
            words: "open …/a\\5f70bf18a086….tar: no such file or directory",
        }],
        thread: None,
        means: "manifest.json was written on Windows and names its layers with backslashes",
        rules: &["docker-archive/backslash-path"],
        prove: "restow check IMAGE",
        mend: "restow convert IMAGE docker-archive:mended.tar",
        seen: Seen::Case("bad/docker-archive/backslash-path"),
    },
    Message {
        name: "manifest-not-in-the-layout",
        patterns: &["determining manifest MIME type for oci-archive:*: open *: no such file or directory"],
        printed: &[
            Printed {
                tool: "podman 4.3.1",
                words: "determining manifest MIME type for oci-archive:archive.tar:: open …/577bec85351b…: no such file or directory",
            },
            Printed {
                tool: "skopeo 1.9.3",
                words: "determining manifest MIME type for oci-archive:archive.tar:: open …/577bec85351b…: no such file or directory",
            },
        ],
        thread: None,
        means: "index.json names a manifest that is not in the layout",
        rules: &["blob/missing"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/missing-manifest"),
    },
    Message {
        name: "platform-not-in-the-archive",
        patterns: &["copying image */* from manifest list: *: open *: no such file or directory"],
        printed: &[
            Printed {
                tool: "skopeo 1.9.3",
                words: "copying image 2/3 from manifest list: determining manifest MIME type for oci-archive:archive.tar:: open …/831364a614da…: no such file or directory",
            },
            Printed {
                tool: "skopeo 1.18.0",
                words: "copying image 2/3 from manifest list: determining manifest MIME type for oci-archive:archive.tar:: open …/831364a614da…: no such file or directory",
            },
        ],
        thread: None,
        means: "an index names a platform whose manifest or layers are not in the archive, and all platforms were asked for",
        rules: &["index/missing-child"],
        prove: "restow check IMAGE",
        mend: "restow convert --present-only IMAGE oci-archive:mended.tar",
        seen: Seen::Case("bad/index/missing-child"),
    },
    Message {
        name: "layer-digest",
        patterns: &[
            "happened during read: Digest did not match, expected sha256:*, got sha256:",
            "reading blob sha256:*: Digest did not match",
        ],
        printed: &[
            Printed {
                tool: "podman 4.3.1",
                words: "writing blob: storing blob to file \"…/1\": happened during read: Digest did not match, expected sha256:a3ed95caeb02…, got sha256:c0c37baa8bb4…",
            },
            Printed {
                tool: "skopeo 1.9.3",
                words: "writing blob: happened during read: Digest did not match, expected sha256:a3ed95caeb02…, got sha256:c0c37baa8bb4…",
            },
        ],
        thread: None,
        means: "the bytes of a layer are not those of its digest: it was damaged on disk or on its way",
        rules: &["blob/digest-mismatch"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/digest-mismatch"),
    },
    Message {
        name: "layer-verification",
        patterns: &["filesystem layer verification failed for digest sha256:"],
        printed: &[Printed {
            tool: "docker 20.10.24",
            words: "filesystem layer verification failed for digest sha256:a3ed95caeb02…",
        }],
        thread: None,
        means: "the registry sent a layer whose bytes are not those of its digest",
        rules: &["blob/digest-mismatch"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/digest-mismatch"),
    },
    Message {
        name: "unexpected-commit-digest",
        patterns: &["unexpected commit digest sha256:*, expected sha256:"],
        printed: &[Printed {
            tool: "containerd 1.2.7",
            words: "failed commit on ref \"layer-sha256:55ae122ef77d…\": unexpected commit digest sha256:a8f2c3f33adf…, expected sha256:55ae122ef77d…: failed precondition",
        }],
        thread: Some("https://github.com/containerd/containerd/issues/1893"),
        means: "containerd got other bytes for a layer than its digest says: a damaged blob in the registry, a proxy that answers with something else, or leftovers of an earlier pull",
        rules: &["blob/digest-mismatch"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/digest-mismatch"),
    },
    Message {
        name: "size-validation",
        patterns: &[
            "failed size validation: * != *: failed precondition",
            "http: ContentLength=* with Body length",
            "Content-Length header * does not match expected size",
        ],
        printed: &[
            Printed {
                tool: "containerd 1.4.3",
                words: "failed size validation: 12467913 != 94124544: failed precondition",
            },
            Printed {
                tool: "crane 0.20.1",
                words: "net/http: HTTP/1.x transport connection broken: http: ContentLength=33 with Body length 32",
            },
        ],
        thread: Some("https://github.com/containerd/containerd/issues/4908"),
        means: "a blob has another size than its descriptor says",
        rules: &["descriptor/size-mismatch"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/descriptor/size-mismatch"),
    },
    Message {
        name: "pushed-digest-invalid",
        patterns: &[
            "DIGEST_INVALID provided digest did not match uploaded content",
            "provided digest did not match uploaded content",
        ],
        printed: &[
            Printed {
                tool: "registry 2.8.2",
                words: "400 DIGEST_INVALID provided digest did not match uploaded content {\"Digest\":\"sha256:a3ed95caeb02…\",\"Reason\":{}}",
            },
            Printed {
                tool: "crane 0.20.1",
                words: "DIGEST_INVALID: provided digest did not match uploaded content; map[Digest:sha256:a3ed95caeb02… Reason:map[]]",
            },
        ],
        thread: None,
        means: "a blob was pushed under a digest that its bytes do not have",
        rules: &["blob/digest-mismatch"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/digest-mismatch"),
    },
    Message {
        name: "config-verification",
        patterns: &[
            "image config verification failed for digest sha256:",
            "Download config.json digest sha256:* does not match expected sha256:",
        ],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "error pulling image configuration: image config verification failed for digest sha256:3d5680533031…",
            },
            Printed {
                tool: "podman 4.3.1",
                words: "parsing image configuration: Download config.json digest sha256:a01819824a7a… does not match expected sha256:3d5680533031…",
            },
            Printed {
                tool: "skopeo 1.9.3",
                words: "reading config blob sha256:3d5680533031…: Download config.json digest sha256:a01819824a7a… does not match expected sha256:3d5680533031…",
            },
        ],
        thread: None,
        means: "the config's bytes are not those of its digest",
        rules: &["blob/digest-mismatch"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/blob/digest-mismatch-config"),
    },
    Message {
        name: "invalid-digest",
        patterns: &[
            "invalid checksum digest format",
            "found non-hex character in hash",
            "wrong number of hex digits for",
        ],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "could not validate layer digest \"sha256:A3ED95CAEB02…\": invalid checksum digest format",
            },
            Printed {
                tool: "podman 4.3.1",
                words: "trying to reuse blob sha256:A3ED95CAEB02… at destination: Can not check for a blob with invalid digest: invalid checksum digest format",
            },
            Printed {
                tool: "skopeo 1.9.3",
                words: "reading blob sha256:A3ED95CAEB02…: unexpected digest reference sha256:A3ED95CAEB02…: invalid checksum digest format",
            },
            Printed { tool: "crane 0.20.1", words: "found non-hex character in hash: A" },
        ],
        thread: None,
        means: "a digest has the wrong length or letters: sha256 is followed by 64 lower-case hexadecimal digits",
        rules: &["descriptor/bad-digest"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/descriptor/bad-digest"),
    },
    Message {
        name: "unsupported-digest-algorithm",
        patterns: &["unsupported digest algorithm", "unsupported hash: \""],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "could not validate layer digest \"md5:54a01009f17bdb7ec1dd1cb427244304\": unsupported digest algorithm",
            },
            Printed {
                tool: "podman 4.3.1",
                words: "trying to reuse blob md5:54a01009f17bdb7ec1dd1cb427244304 at destination: Can not check for a blob with invalid digest: unsupported digest algorithm",
            },
            Printed {
                tool: "skopeo 1.9.3",
                words: "reading blob md5:54a01009f17bdb7ec1dd1cb427244304: unexpected digest reference md5:54a01009f17bdb7ec1dd1cb427244304: unsupported digest algorithm",
            },
            Printed { tool: "crane 0.20.1", words: "unsupported hash: \"md5\"" },
        ],
        thread: None,
        means: "a digest is of an algorithm that the tool does not know",
        rules: &["descriptor/unverified-digest"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/descriptor/unverified-digest"),
    },
    Message {
        name: "layer-checksum",
        patterns: &["gzip: invalid checksum", "unpigz: skipping: <stdin>: corrupted -- crc32 mismatch"],
        printed: &[
            Printed {
                tool: "containerd 1.7.24",
                words: "failed to extract layer sha256:5f70bf18a086…: gzip: invalid checksum: unknown",
            },
            Printed {
                tool: "podman 4.3.1",
                words: "writing blob: storing blob to file \"…/1\": gzip: invalid checksum",
            },
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:5f70bf18a086…: exit status 1: unpigz: skipping: <stdin>: corrupted -- crc32 mismatch",
            },
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(exit status 1: unpigz: skipping: <stdin>: corrupted -- crc32 mismatch",
            },
            Printed { tool: "crane 0.20.1", words: "validating layers: gzip: invalid checksum" },
        ],
        thread: None,
        means: "a layer's gzip stream does not match its own checksum: it was damaged before its digest was taken",
        rules: &["layer/corrupt"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/layer/corrupt"),
    },
    Message {
        name: "layer-cut",
        patterns: &["unpigz: skipping: <stdin>: corrupted -- missing trailer"],
        printed: &[
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:5f70bf18a086…: exit status 1: unpigz: skipping: <stdin>: corrupted -- missing trailer",
            },
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(exit status 1: unpigz: skipping: <stdin>: corrupted -- missing trailer",
            },
        ],
        thread: None,
        means: "a layer's gzip stream ends early",
        rules: &["layer/truncated"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/layer/truncated"),
    },
    Message {
        name: "layer-trailing-bytes",
        patterns: &["gzip: invalid header", "undersized layer[*] content: Manifest.Layers"],
        printed: &[
            Printed {
                tool: "podman 4.3.1",
                words: "writing blob: storing blob to file \"…/1\": gzip: invalid header",
            },
            Printed {
                tool: "umoci 0.4.7",
                words: "create runtime bundle: unpack rootfs: discard trailing archive bits: gzip: invalid header",
            },
            Printed {
                tool: "crane 0.20.1",
                words: "validating layers: undersized layer[0] content: Manifest.Layers[0].Size=101923",
            },
        ],
        thread: None,
        means: "something stands behind the end of a layer's gzip stream, or the layer is no gzip at all",
        rules: &["layer/trailing-bytes"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/layer/trailing-bytes-zeros"),
    },
];

//! Messages about the content of layers, and of containers that do not start.

use super::message::{Message, Printed, Seen};

pub(super) const ALL: &[Message] = &[
    Message {
        name: "bad-header-in-a-layer",
        patterns: &[
            "failed to register layer: archive/tar: invalid tar header",
            "processing tar file(archive/tar: invalid tar header)",
            "exhausting input failed (error: archive/tar: invalid tar header)",
            "failed to extract layer sha256:*: archive/tar: invalid tar header",
        ],
        printed: &[
            Printed {
                tool: "docker 26.1.5",
                words: "failed to register layer: archive/tar: invalid tar header",
            },
            Printed {
                tool: "podman 4.3.1",
                words: "writing blob: adding layer with blob \"sha256:37086ed8372c…\": processing tar file(archive/tar: invalid tar header): exit status 1",
            },
            Printed {
                tool: "podman 5.4.2",
                words: "exhausting input failed (error: archive/tar: invalid tar header)",
            },
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:37086ed8372c…: archive/tar: invalid tar header: unknown",
            },
        ],
        thread: None,
        means: "a header in a layer's tar is not as the format asks: the layer was damaged before its digest was taken, or is compressed in a way that the tool does not know",
        rules: &["tar/bad-header"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/tar/bad-header"),
    },
    Message {
        name: "entry-of-unknown-type",
        patterns: &["unhandled tar header type"],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(exit status 1): unhandled tar header type 86",
            },
            Printed { tool: "docker 26.1.5", words: "unhandled tar header type 86" },
            Printed {
                tool: "podman 4.3.1",
                words: "writing blob: adding layer with blob \"sha256:83218913b01d…\": processing tar file(unhandled tar header type 86): exit status 1",
            },
        ],
        thread: None,
        means: "a layer has an entry of a type that the tool does not know, as GNU's sparse files",
        rules: &["tar/unknown-type", "tar/gnu-sparse"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/tar/unknown-type"),
    },
    Message {
        name: "duplicate-paths",
        patterns: &["duplicates of file paths not supported"],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(duplicates of file paths not supported):",
            },
            Printed { tool: "docker 26.1.5", words: "duplicates of file paths not supported" },
            Printed {
                tool: "podman 4.3.1",
                words: "writing blob: adding layer with blob \"sha256:cb4d95c7eebb…\": processing tar file(): duplicates of file paths not supported",
            },
        ],
        thread: None,
        means: "a layer has one path twice",
        rules: &["entry/duplicate-path"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/entry/duplicate-path"),
    },
    Message {
        name: "hard-link-target",
        patterns: &["link /*: no such file or directory"],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(exit status 1): link /a /b: no such file or directory",
            },
            Printed { tool: "docker 26.1.5", words: "link /a /b: no such file or directory" },
        ],
        thread: None,
        means: "a hard link in a layer leads to a file that is not in that layer",
        rules: &["entry/hard-link-target-missing"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/entry/hard-link-target-missing"),
    },
    Message {
        name: "hard-link-to-directory",
        patterns: &["link /*: operation not permitted"],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(exit status 1): link /a /b: operation not permitted",
            },
            Printed { tool: "docker 26.1.5", words: "link /a /b: operation not permitted" },
        ],
        thread: None,
        means: "a hard link in a layer leads to a directory",
        rules: &["entry/hard-link-to-directory"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/entry/hard-link-to-directory"),
    },
    Message {
        name: "below-a-file",
        patterns: &["open /*: not a directory", "mkparent *: not a directory"],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(exit status 1): open /a/b: not a directory",
            },
            Printed { tool: "docker 26.1.5", words: "open /a/b: not a directory" },
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:e2670275ddd9…: mkparent …/a: not a directory: unknown",
            },
        ],
        thread: None,
        means: "an entry of a layer stands below what is a file",
        rules: &["entry/below-file"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/entry/below-file"),
    },
    Message {
        name: "below-a-link",
        patterns: &["mkdir /*: no such file or directory", "open /run/*: no such file or directory"],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(exit status 1): mkdir /c/sub: no such file or directory",
            },
            Printed {
                tool: "podman 4.3.1",
                words: "writing blob: adding layer with blob \"sha256:7a66918c141d…\": processing tar file(mkdir /c/sub: no such file or directory): exit status 1",
            },
        ],
        thread: None,
        means: "an entry of a layer stands below a symbolic link that leads nowhere within the layer",
        rules: &["entry/below-link"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/entry/below-link-directory"),
    },
    Message {
        name: "path-too-long",
        patterns: &["file name too long"],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(exit status 1): open /aaaaaaaaaaaa…: file name too long",
            },
            Printed { tool: "docker 26.1.5", words: "open /aaaaaaaaaaaa…: file name too long" },
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:ba0441db459b…: open …/aaaaaaaaaaaa…: file name too long: unknown",
            },
        ],
        thread: None,
        means: "a path in a layer is longer than file systems take",
        rules: &["entry/path-too-long"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/entry/path-too-long"),
    },
    Message {
        name: "whiteout-beside-its-file",
        patterns: &[
            "failed to mknod(*, S_IFCHR, 0): file exists",
            "failed to convert whiteout file *: file exists",
        ],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "Error processing tar file(exit status 1): failed to mknod(\"/etc/one\", S_IFCHR, 0): file exists",
            },
            Printed {
                tool: "docker 26.1.5",
                words: "failed to mknod(\"/etc/one\", S_IFCHR, 0): file exists",
            },
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:2c4a6bd72116…: failed to convert whiteout file \"etc/.wh.one\": file exists: unknown",
            },
        ],
        thread: None,
        means: "a layer removes a path by a whiteout and has that path, too",
        rules: &["whiteout/hides-own-path"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/whiteout/hides-own-path"),
    },
    Message {
        name: "whiteout-of-nothing-nameable",
        patterns: &["invalid whiteout name: .wh.:"],
        printed: &[
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:2c15a4d61227…: invalid whiteout name: .wh.: invalid archive: unknown",
            },
            Printed {
                tool: "containerd 1.7.24",
                words: "failed to extract layer sha256:2c15a4d61227…: invalid whiteout name: .wh.: invalid archive: unknown",
            },
        ],
        thread: None,
        means: "a whiteout names nothing",
        rules: &["whiteout/bad-name"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/whiteout/bad-name"),
    },
    Message {
        name: "bad-capability",
        patterns: &["lsetxattr *: invalid argument", "failed to setxattr * for key *: invalid argument"],
        printed: &[
            Printed {
                tool: "podman 4.3.1",
                words: "writing blob: adding layer with blob \"sha256:3edaab5a9777…\": processing tar file(lsetxattr /ping: invalid argument): exit status 1",
            },
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:3edaab5a9777…: failed to setxattr \"…/ping\" for key \"security.capability\": invalid argument: unknown",
            },
        ],
        thread: None,
        means: "a file in a layer has a `security.capability` that the kernel refuses",
        rules: &["entry/bad-capability"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/entry/bad-capability"),
    },
    Message {
        name: "encrypted-layer",
        patterns: &[
            "missing private key needed for decryption",
            "failed to get stream processor for *+encrypted",
        ],
        printed: &[
            Printed {
                tool: "buildah 1.28.2",
                words: "decrypting layer sha256:a8faed6abbf3…: missing private key needed for decryption",
            },
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to extract layer sha256:a8faed6abbf3…: failed to get stream processor for application/vnd.oci.image.layer.v1.tar+gzip+encrypted: ctd-decoder resolves to…",
            },
        ],
        thread: None,
        means: "a layer is encrypted, and there is no key",
        rules: &["layer/encrypted"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/layer/encrypted"),
    },
    Message {
        name: "user-not-found",
        patterns: &["unable to find user *: no matching entries in passwd file"],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "unable to find user app: no matching entries in passwd file.",
            },
            Printed {
                tool: "podman 4.3.1",
                words: "unable to find user app: no matching entries in passwd file",
            },
        ],
        thread: None,
        means: "the config names a user that /etc/passwd in the image does not have",
        rules: &["config/bad-user"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/config/bad-user"),
    },
    Message {
        name: "working-directory",
        patterns: &["Cwd must be an absolute path"],
        printed: &[
            Printed {
                tool: "docker 20.10.24",
                words: "failed to create shim task: OCI runtime create failed: runc create failed: Cwd must be an absolute path: unknown.",
            },
            Printed {
                tool: "containerd 1.6.20",
                words: "failed to create shim task: OCI runtime create failed: runc create failed: Cwd must be an absolute path: unknown",
            },
            Printed {
                tool: "podman 4.3.1",
                words: "OCI runtime error: runc: runc create failed: Cwd must be an absolute path",
            },
        ],
        thread: None,
        means: "the config's working directory does not begin with a slash",
        rules: &["config/relative-working-dir"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/config/relative-working-dir"),
    },
    Message {
        name: "environment",
        patterns: &["invalid environment v"],
        printed: &[Printed {
            tool: "containerd 1.6.20",
            words: "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: invalid environment v…",
        }],
        thread: None,
        means: "a variable of the config has no `=`, or holds a zero byte",
        rules: &["config/bad-env", "config/nul-in-env"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/config/bad-env"),
    },
    Message {
        name: "stop-signal",
        patterns: &["invalid signal:"],
        printed: &[
            Printed { tool: "podman 4.3.1", words: "invalid signal: SIGSTOPPED" },
            Printed { tool: "podman 5.4.2", words: "invalid signal: SIGSTOPPED" },
        ],
        thread: None,
        means: "the config's stop signal is none",
        rules: &["config/bad-stop-signal"],
        prove: "restow check IMAGE",
        mend: "restow convert ORIGIN oci-archive:mended.tar",
        seen: Seen::Case("bad/config/bad-stop-signal"),
    },
];

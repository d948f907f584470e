//! Messages about registries.

use super::message::{Message, Printed, Registry, Seen};

pub(super) const ALL: &[Message] = &[
    Message {
        name: "manifest-unknown",
        patterns: &["manifest unknown", "MANIFEST_UNKNOWN"],
        printed: &[
            Printed {
                tool: "skopeo 1.9.3",
                words: "reading manifest nope in 127.0.0.1:5601/lab/two: manifest unknown: manifest unknown",
            },
            Printed {
                tool: "docker 20.10.24",
                words: "manifest for 127.0.0.1:5601/lab/two:nope not found: manifest unknown: manifest unknown",
            },
            Printed {
                tool: "crane 0.20.1",
                words: "GET http://localhost:5900/v2/lab/dup/manifests/nope: MANIFEST_UNKNOWN: manifest unknown; map[Tag:nope]",
            },
        ],
        thread: None,
        means: "the registry has no manifest of that tag or digest in that repository",
        rules: &[],
        prove: "restow inspect docker://HOST/NAME:TAG",
        mend: "restow convert docker://HOST/NAME:TAG oci-archive:mended.tar",
        seen: Seen::Registry(Registry::NoSuchTag),
    },
    Message {
        name: "unauthorized",
        patterns: &[
            "unauthorized: authentication required",
            "no basic auth credentials",
            "pull access denied for",
            "unexpected status code 401 Unauthorized",
        ],
        printed: &[
            Printed {
                tool: "skopeo 1.9.3",
                words: "reading manifest 1 in 127.0.0.1:5602/lab/two: unauthorized: authentication required",
            },
            Printed {
                tool: "docker 20.10.24",
                words: "Head \"http://127.0.0.1:5602/v2/lab/two/manifests/1\": no basic auth credentials",
            },
            Printed {
                tool: "crane 0.20.1",
                words: "GET http://localhost:5901/v2/lab/dup/manifests/1: UNAUTHORIZED: authentication required; [map[Action:pull Class: Name:lab/dup Type:repository]]",
            },
        ],
        thread: None,
        means: "the registry asks who you are, and was not told or did not believe it",
        rules: &[],
        prove: "restow inspect docker://HOST/NAME:TAG",
        mend: "restow convert --creds USER:PASSWORD docker://HOST/NAME:TAG oci-archive:mended.tar",
        seen: Seen::Registry(Registry::Login),
    },
    Message {
        name: "plain-http",
        patterns: &["http: server gave HTTP response to HTTPS client"],
        printed: &[Printed {
            tool: "skopeo 1.9.3",
            words: "pinging container registry 127.0.0.1:5601: Get \"https://127.0.0.1:5601/v2/\": http: server gave HTTP response to HTTPS client",
        }],
        thread: None,
        means: "the registry speaks plain HTTP, which must be allowed for its host",
        rules: &[],
        prove: "restow inspect docker://HOST/NAME:TAG",
        mend: "restow convert --tls-verify=false docker://HOST/NAME:TAG oci-archive:mended.tar",
        seen: Seen::Registry(Registry::PlainHttp),
    },
];

//! Every cap on what an archive may make restow do: its default, its reason, its option.
//!
//! formats.md H.13. All can be set with `--limit NAME=VALUE`.

/// Bytes of a link of registry storage that are read. 1 KiB: the longest digest has 135, and nobody needs another.
pub const LINK_BYTES: u64 = 1024;

/// Bytes up to which a blob that nothing points at in an archive of Docker 25 or later is what it writes for old readers: it
/// knows no v1 document that is larger.
pub const LEGACY_BLOB_BYTES: u64 = 64 << 10;

/// Bytes of the paths of one layer that a scrub keeps, each as far as it differs from the one before: some four million
/// entries. Of a layer with more nothing is kept, and it is not laid on others.
pub const TRAIL_BYTES: u64 = 64 << 20;

/// The caps in force for one run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Members of the outer archive. 1,000,000: each costs memory before anything is known of it.
    pub members: u64,
    /// Bytes of one JSON document that is read into memory. 16 MiB: four times what registries take.
    pub document_bytes: u64,
    /// Bytes of all JSON documents held at once, with 64 more for each value in them, which is what it costs once parsed.
    /// 1 GiB: 30,000 images of common size.
    pub documents_bytes: u64,
    /// Values in one JSON document. 500,000: an index as large as document-bytes allows has fewer. A document of nothing
    /// but small values takes fifty times its size, and a thousand times where each of them is at fault.
    pub json_values: u64,
    /// Nesting of JSON values. 64: no format nests deeper than 10.
    pub json_depth: u64,
    /// Nesting of the JSON inside strings and signatures of schema 1 manifests. 64, as outside of them.
    pub signature_depth: u64,
    /// Bytes of the `data` of one descriptor.
    pub data_bytes: u64,
    /// Nesting of indexes. 8: real ones nest twice.
    pub index_depth: u64,
    /// Manifests and indexes in one archive. 100,000.
    pub manifests: u64,
    /// Layers of one image. 1,000: Docker stops at 125.
    pub layers: u64,
    /// Bytes of one layer once decompressed. 64 GiB: gzip and zstd bombs.
    pub layer_bytes: u64,
    /// Bytes of members that are spooled from standard input or from a compressed archive. 64 GiB: they take as much of the
    /// folder for temporary files, however few they came from. Of the stream as a whole, end and all, a GiB more is read.
    pub spool_bytes: u64,
    /// Bytes of one such member. 32 GiB: a layer that is larger than half of all would not be pushed anywhere.
    pub spooled_member_bytes: u64,
    /// Bytes that a compressed archive may unfold to for each byte of it, once they are more than a GiB. 250: layers are
    /// compressed already, and a disk of zeros comes to 1,000 in gzip and to 30,000 in zstd.
    pub spool_ratio: u64,
    /// Members or frames without content that may follow each other in a compressed stream. 1,000: each costs as much as one
    /// with content; writers end with one, and put one before each frame.
    pub empty_frames: u64,
    /// Names (RepoTags) in one docker-archive. 100,000: the images of a registry; each costs some kilobytes.
    pub names: u64,
    /// Bytes of one PAX header or one GNU long name. 1 MiB.
    pub extension_bytes: u64,
    /// Entries of one layer. 10,000,000.
    pub entries: u64,
    /// Paths of one layer that are compared, with every directory above them. 40,000,000: four for each entry; each takes
    /// about 100 bytes of the temporary directory.
    pub layer_paths: u64,
    /// Bytes of one in-toto statement that is compared with what it is attached to. 1 MiB: one about provenance has some
    /// kilobytes. Larger ones, such as an SBOM may be, are passed over: nothing demands that they are read.
    pub statement_bytes: u64,
    /// Bytes of all such statements in one archive. 64 MiB: most of a minute of reading on a slow disk.
    pub statements_bytes: u64,
    /// Bytes of the `json` of a v1 image beside a `manifest.json`, which is there for old readers and compared with it. 64 KiB:
    /// real ones have a few; larger ones are passed over.
    pub v1_bytes: u64,
    /// v1 images that are looked at so in one archive. 100,000: 1,000 images of 100 layers.
    pub v1_images: u64,
    /// zstd window, as a power of two; of xz the dictionary. 27 (128 MiB) accepts `zstd --long`.
    pub zstd_window_log: u64,
    /// Seconds until a connection to a host must have come about. 30: two more tries of TCP than most need.
    pub connect_seconds: u64,
    /// Seconds in which a host may send nothing. 120: registries take their time over large blobs.
    pub wait_seconds: u64,
    /// Seconds that a host may ask to wait before another try. 300: who wants more is better asked another day.
    pub retry_seconds: u64,
    /// Redirects of one request. 5: real ones are two.
    pub redirects: u64,
    /// Requests to one host at once. 16: what Docker's and podman's pulls come to.
    pub connections: u64,
    /// Bytes of an answer that is neither document nor blob: tokens, lists, errors. 8 MiB.
    pub answer_bytes: u64,
    /// Names in a list of tags or repositories. 1,000,000.
    pub listed_names: u64,
    /// Referrers of one manifest. 1,000.
    pub referrers: u64,
    /// Referrers of referrers. 16.
    pub referrer_depth: u64,
    /// Clients that are answered at once by `serve`. 1,000: each costs a thread and some hundred kilobytes.
    pub clients: u64,
    /// Bytes of the head of a request that `serve` reads. 64 KiB: tokens in headers take some.
    pub request_bytes: u64,
    /// Seconds until the head of a request must have come, and that a client may wait between two. 30.
    pub request_seconds: u64,
    /// Seconds that a credential helper may take. 60: some ask a person or a cloud.
    pub helper_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            members: 1_000_000,
            document_bytes: 16 << 20,
            documents_bytes: 1 << 30,
            json_values: 500_000,
            json_depth: 64,
            signature_depth: 64,
            data_bytes: 1 << 20,
            index_depth: 8,
            manifests: 100_000,
            layers: 1_000,
            layer_bytes: 64 << 30,
            spool_bytes: 64 << 30,
            spooled_member_bytes: 32 << 30,
            spool_ratio: 250,
            empty_frames: 1_000,
            names: 100_000,
            extension_bytes: 1 << 20,
            entries: 10_000_000,
            layer_paths: 40_000_000,
            statement_bytes: 1 << 20,
            statements_bytes: 64 << 20,
            v1_bytes: 64 << 10,
            v1_images: 100_000,
            zstd_window_log: 27,
            connect_seconds: 30,
            wait_seconds: 120,
            retry_seconds: 300,
            redirects: 5,
            connections: 16,
            answer_bytes: 8 << 20,
            listed_names: 1_000_000,
            referrers: 1_000,
            referrer_depth: 16,
            clients: 1_000,
            request_bytes: 64 << 10,
            request_seconds: 30,
            helper_seconds: 60,
        }
    }
}

/// The names that `--limit` takes, with what each one caps.
pub const NAMES: &[(&str, &str)] = &[
    ("members", "members of the outer archive"),
    ("document-bytes", "bytes of one JSON document"),
    ("documents-bytes", "bytes of all JSON documents"),
    ("json-values", "values in one JSON document"),
    ("json-depth", "nesting of JSON values"),
    ("signature-depth", "nesting of JSON inside schema 1"),
    ("data-bytes", "bytes of data inside a descriptor"),
    ("index-depth", "nesting of indexes"),
    ("manifests", "manifests and indexes in one archive"),
    ("layers", "layers of one image"),
    ("layer-bytes", "bytes of one decompressed layer"),
    ("spool-bytes", "bytes of members spooled from a stream or a compressed archive"),
    ("spooled-member-bytes", "bytes of one such member"),
    ("spool-ratio", "bytes that a compressed archive unfolds to for each of it"),
    ("empty-frames", "frames without content in a row"),
    ("names", "names in one docker-archive"),
    ("extension-bytes", "bytes of one PAX header or long name"),
    ("entries", "entries of one layer"),
    ("layer-paths", "paths of one layer that are compared"),
    ("statement-bytes", "bytes of one attestation that is read"),
    ("statements-bytes", "bytes of all attestations that are read"),
    ("v1-bytes", "bytes of the json of one v1 image for old readers"),
    ("v1-images", "v1 images for old readers that are looked at"),
    ("zstd-window-log", "zstd window as a power of two"),
    ("connect-seconds", "seconds until a connection must have come about"),
    ("wait-seconds", "seconds in which a host may send nothing"),
    ("retry-seconds", "seconds that a host may ask to wait"),
    ("redirects", "redirects of one request"),
    ("connections", "requests to one host at once"),
    ("answer-bytes", "bytes of an answer that is neither document nor blob"),
    ("listed-names", "names in a list of tags or repositories"),
    ("referrers", "referrers of one manifest"),
    ("referrer-depth", "referrers of referrers"),
    ("clients", "clients that serve answers at once"),
    ("request-bytes", "bytes of the head of a request to serve"),
    ("request-seconds", "seconds until the head of a request to serve must have come"),
    ("helper-seconds", "seconds that a credential helper may take"),
];

impl Limits {
    /// Sets the limit that `--limit NAME=VALUE` names; `None` if there is no such limit.
    pub fn set(&mut self, name: &str, value: u64) -> Option<()> {
        let field = match name {
            "members" => &mut self.members,
            "document-bytes" => &mut self.document_bytes,
            "documents-bytes" => &mut self.documents_bytes,
            "json-values" => &mut self.json_values,
            "json-depth" => &mut self.json_depth,
            "signature-depth" => &mut self.signature_depth,
            "data-bytes" => &mut self.data_bytes,
            "index-depth" => &mut self.index_depth,
            "manifests" => &mut self.manifests,
            "layers" => &mut self.layers,
            "layer-bytes" => &mut self.layer_bytes,
            "spool-bytes" => &mut self.spool_bytes,
            "spooled-member-bytes" => &mut self.spooled_member_bytes,
            "spool-ratio" => &mut self.spool_ratio,
            "empty-frames" => &mut self.empty_frames,
            "names" => &mut self.names,
            "extension-bytes" => &mut self.extension_bytes,
            "entries" => &mut self.entries,
            "layer-paths" => &mut self.layer_paths,
            "statement-bytes" => &mut self.statement_bytes,
            "statements-bytes" => &mut self.statements_bytes,
            "v1-bytes" => &mut self.v1_bytes,
            "v1-images" => &mut self.v1_images,
            "zstd-window-log" => &mut self.zstd_window_log,
            "connect-seconds" => &mut self.connect_seconds,
            "wait-seconds" => &mut self.wait_seconds,
            "retry-seconds" => &mut self.retry_seconds,
            "redirects" => &mut self.redirects,
            "connections" => &mut self.connections,
            "answer-bytes" => &mut self.answer_bytes,
            "listed-names" => &mut self.listed_names,
            "referrers" => &mut self.referrers,
            "referrer-depth" => &mut self.referrer_depth,
            "clients" => &mut self.clients,
            "request-bytes" => &mut self.request_bytes,
            "request-seconds" => &mut self.request_seconds,
            "helper-seconds" => &mut self.helper_seconds,
            _ => return None,
        };
        *field = value;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_sets_something() {
        for (name, _) in NAMES {
            let mut limits = Limits::default();
            assert!(limits.set(name, 7).is_some(), "{name}");
            assert_ne!(format!("{limits:?}"), format!("{:?}", Limits::default()), "{name}");
        }
        assert!(Limits::default().set("no-such", 1).is_none());
    }
}

//! Lenient views over documents: what is there and understandable. The schema reports what is not.

use std::borrow::Cow;

use crate::digest::{Digest, DigestError};
use crate::json::{Kind, Span, Value};
use crate::location::Location;
use crate::media;
use crate::model::Document;
use crate::platform::Platform;

/// What stands for a value where there is none.
pub(super) static NOTHING: Value = Value { span: Span { start: 0, end: 0 }, kind: Kind::Null };

/// A descriptor (formats.md D.2).
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// Where it stands.
    pub at: Location,
    /// The object in its document.
    pub span: Span,
    /// `mediaType`
    pub media_type: Option<Cow<'static, str>>,
    /// `digest`, or its text and why it is none.
    pub digest: Option<Result<Digest, Box<(String, DigestError)>>>,
    /// `size`, if it is an integer.
    pub size: Option<i64>,
    /// `platform`
    pub platform: Option<Box<Platform>>,
    /// Whether `urls` is there and not empty.
    pub has_urls: bool,
    /// Whether annotations of zstd:chunked are there (formats.md D.10.3).
    pub chunked: bool,
}

impl Descriptor {
    /// Reads an object as a descriptor.
    pub fn of(value: &Value, at: Location) -> Descriptor {
        let digest = value
            .get("digest")
            .and_then(Value::as_str)
            .map(|text| Digest::parse(text).map_err(|error| Box::new((text.to_owned(), error))));
        Descriptor {
            at,
            span: value.span,
            media_type: value.get("mediaType").and_then(Value::as_str).map(media::kept),
            digest,
            size: value.get("size").and_then(Value::as_i64),
            platform: value.get("platform").and_then(platform).map(Box::new),
            has_urls: value.get("urls").is_some_and(|urls| !urls.items().is_empty()),
            chunked: annotation(value, "io.github.containers.zstd-chunked.manifest-checksum").is_some(),
        }
    }

    /// The digest, if it is one.
    pub fn good_digest(&self) -> Option<&Digest> {
        self.digest.as_ref()?.as_ref().ok()
    }

    /// The media type, or the empty string.
    pub fn type_or_empty(&self) -> &str {
        self.media_type.as_deref().unwrap_or("")
    }
}

/// A string member.
pub fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// A member of `annotations`.
pub fn annotation<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get("annotations")?.entry(key)?.as_str()
}

/// What a manifest or index says that it is: its `artifactType`, or else the type of its config.
pub fn own_artifact_type(root: &Value) -> Option<String> {
    let own = text(root, "artifactType").filter(|own| !own.is_empty());
    own.or_else(|| root.get("config").and_then(|config| text(config, "mediaType")))
}

/// The same of a document's bytes; `None` if they are no JSON.
pub fn artifact_type(bytes: &[u8]) -> Option<String> {
    let depth = crate::limits::Limits::default().json_depth as usize;
    own_artifact_type(&crate::json::parse(bytes, depth).ok()?.root)
}

/// The platform members of a `platform` object or of a config.
pub fn platform(value: &Value) -> Option<Platform> {
    value.is_object().then(|| Platform {
        os: text(value, "os").unwrap_or_default(),
        architecture: text(value, "architecture").unwrap_or_default(),
        variant: text(value, "variant").filter(|v| !v.is_empty()),
        os_version: text(value, "os.version").filter(|v| !v.is_empty()),
        os_features: value
            .get("os.features")
            .map(|list| list.items().iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default(),
    })
}

/// An image config (formats.md B.2, D.5).
#[derive(Debug, Clone)]
pub struct Config {
    /// The document.
    pub document: Document,
}

impl Config {
    /// The view, if the document is a JSON object.
    pub fn of(document: Document) -> Option<Config> {
        document.root().is_some_and(Value::is_object).then_some(Config { document })
    }

    /// Its top-level object.
    pub fn value(&self) -> &Value {
        self.document.root().unwrap_or(&NOTHING)
    }

    /// `rootfs.diff_ids`: `None` if it is absent, `null` or no array.
    pub fn diff_ids(&self) -> Option<Vec<Option<Digest>>> {
        let list = self.value().get("rootfs")?.get("diff_ids")?;
        list.is_array().then(|| {
            list.items().iter().map(|item| item.as_str().and_then(|text| Digest::parse(text).ok())).collect()
        })
    }

    /// Operating system, architecture and so on.
    pub fn platform(&self) -> Platform {
        platform(self.value()).unwrap_or_default()
    }

    /// Commands and comments of the history items that made a layer, one for each layer, base first; empty if the
    /// history does not fit the layers.
    pub fn layer_history(&self, layers: usize) -> Vec<Option<&str>> {
        let history = self.value().get("history").map(Value::items).unwrap_or_default();
        let made: Vec<_> = history
            .iter()
            .filter(|item| item.get("empty_layer").and_then(Value::as_bool) != Some(true))
            .map(|item| item.get("created_by").and_then(Value::as_str).filter(|text| !text.is_empty()))
            .collect();
        if made.len() == layers { made } else { vec![None; layers] }
    }
}

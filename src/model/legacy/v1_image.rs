//! The v1 image JSON as Docker's `V1Image` struct holds it (formats.md B.1).

use super::DecodeError;
use super::go_json;
use super::v1_config::{Config, Members, boolean, each_member, integer, pointer, string};
use crate::json::{Kind, Value};

/// What Go's `time.Time` is before anything is set.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// The members of a v1 image JSON that Docker knows. Absent members are empty.
#[derive(Debug, Clone, PartialEq)]
pub struct V1Image {
    /// 64 hex digits.
    pub id: String,
    /// ID of the image below; empty for a base.
    pub parent: String,
    /// Commit message.
    pub comment: String,
    /// RFC 3339, in the form that Go writes; year 1 if unset.
    pub created: String,
    /// ID of the build container.
    pub container: String,
    /// Version of the Docker that built it.
    pub docker_version: String,
    /// Who made it.
    pub author: String,
    /// GOARCH name.
    pub architecture: String,
    /// Variant of the architecture.
    pub variant: String,
    /// GOOS name.
    pub os: String,
    /// Uncompressed bytes of this image's own layer.
    pub size: Option<i64>,
    /// Whether the layer is empty (schema 1 only; no config has it).
    pub throwaway: Option<bool>,
    pub(super) container_config: Config,
    pub(super) config: Option<Config>,
}

impl Default for V1Image {
    fn default() -> V1Image {
        V1Image {
            created: ZERO_TIME.to_owned(),
            id: String::new(),
            parent: String::new(),
            comment: String::new(),
            container: String::new(),
            docker_version: String::new(),
            author: String::new(),
            architecture: String::new(),
            variant: String::new(),
            os: String::new(),
            size: None,
            throwaway: None,
            container_config: Config::default(),
            config: None,
        }
    }
}

impl V1Image {
    /// Decodes a v1 image JSON, or the v1 members of an image config.
    ///
    /// Fails where Docker's decoder fails: a known member of another type, or a time that is none.
    pub fn decode(root: &Value) -> Result<V1Image, DecodeError> {
        if !root.is_object() {
            return Err(DecodeError::expected("an object"));
        }
        let mut image = V1Image::default();
        each_member(root, |name, v| match name {
            "id" => string(&mut image.id, v),
            "parent" => string(&mut image.parent, v),
            "comment" => string(&mut image.comment, v),
            "created" => time(&mut image.created, v),
            "container" => string(&mut image.container, v),
            "container_config" => image.container_config.merge(v),
            "docker_version" => string(&mut image.docker_version, v),
            "author" => string(&mut image.author, v),
            "config" => pointer(&mut image.config, v, Config::merge),
            "architecture" => string(&mut image.architecture, v),
            "variant" => string(&mut image.variant, v),
            "os" => string(&mut image.os, v),
            "size" => pointer(&mut image.size, v, integer),
            "throwaway" => pointer(&mut image.throwaway, v, boolean),
            _ => Ok(()),
        })?;
        Ok(image)
    }

    /// The build step: the command of the build container, joined by spaces.
    pub fn created_by(&self) -> String {
        self.container_config.cmd.as_deref().unwrap_or_default().join(" ")
    }

    /// The members that Docker writes, in struct order, values encoded.
    pub(super) fn members(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut out = Members::default();
        out.string_unless_empty("id", &self.id);
        out.string_unless_empty("parent", &self.parent);
        out.string_unless_empty("comment", &self.comment);
        out.string("created", &self.created);
        out.string_unless_empty("container", &self.container);
        out.raw("container_config", self.container_config.encode());
        out.string_unless_empty("docker_version", &self.docker_version);
        out.string_unless_empty("author", &self.author);
        if let Some(config) = &self.config {
            out.raw("config", config.encode());
        }
        out.string_unless_empty("architecture", &self.architecture);
        out.string_unless_empty("variant", &self.variant);
        out.string_unless_empty("os", &self.os);
        out.integer_unless_zero("Size", self.size.unwrap_or(0));
        out.0
    }

    /// The `history` item of an image config that stands for this image (formats.md B.4).
    pub(super) fn history_item(&self, empty_layer: bool) -> Vec<u8> {
        let mut out = Members::default();
        out.string("created", &self.created);
        out.string_unless_empty("author", &self.author);
        out.string_unless_empty("created_by", &self.created_by());
        out.string_unless_empty("comment", &self.comment);
        if empty_layer {
            out.boolean("empty_layer", true);
        }
        out.encode()
    }
}

fn time(field: &mut String, value: &Value) -> Result<(), DecodeError> {
    let expected = || DecodeError::expected("an RFC 3339 time");
    match &value.kind {
        Kind::String(text) => *field = go_json::time(text).ok_or_else(expected)?,
        Kind::Null => {}
        _ => return Err(expected()),
    }
    Ok(())
}

//! Platforms (formats.md D.6).

/// A platform as some document gives it, not normalised.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Platform {
    /// GOOS.
    pub os: String,
    /// GOARCH.
    pub architecture: String,
    /// Such as `v7`.
    pub variant: Option<String>,
    /// Windows build.
    pub os_version: Option<String>,
    /// Such as `win32k`.
    pub os_features: Vec<String>,
}

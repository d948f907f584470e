//! Platforms: the text by which users name one, normal form, and strict matching (formats.md D.6).
//!
//! Documents and users spell one platform in many ways (`aarch64`, `arm64`, `arm64/v8`). A [`Platform`] keeps what
//! was written, so that it can be reported; [`Platform::normalised`] is what containerd makes of it, and every
//! comparison here is made on that. There is no fallback from one platform to another that could run in its
//! place: restow converts for machines that it does not know.

use std::fmt::{self, Write as _};

/// A platform as some document or user gives it, not normalised.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Platform {
    /// GOOS; empty if not given.
    pub os: String,
    /// GOARCH; empty if not given.
    pub architecture: String,
    /// Such as `v7`.
    pub variant: Option<String>,
    /// Windows build.
    pub os_version: Option<String>,
    /// Such as `win32k`.
    pub os_features: Vec<String>,
}

/// Every GOOS that Go ever had, sorted.
pub const KNOWN_OS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];

/// Every GOARCH that Go ever had or reserved, sorted.
pub const KNOWN_ARCHITECTURES: &[&str] = &[
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

/// Hosts from this build on (Server 2022) also run images of older builds, down to this one; hosts before it run
/// their own build only. It is the first LTSC with that promise, and the floor for every host known today
/// (formats.md D.6); a later LTSC will need a list here.
const WINDOWS_STABLE_BUILD: u16 = 20348;

/// Why a text does not name a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// More than three parts.
    #[error("expected `os/architecture/variant` at most, found {found} parts")]
    TooManyParts {
        /// Parts that were found.
        found: usize,
    },
    /// One word, neither a known OS nor a known architecture.
    #[error(
        "expected an OS such as `linux`, an architecture such as `arm64`, or `os/architecture`, found {text:?}"
    )]
    UnknownWord {
        /// The word.
        text: String,
    },
    /// The first part is no OS with optional version and features.
    #[error("expected an OS such as `linux` or `windows(10.0.20348+feature)`, found {text:?}")]
    Os {
        /// The part.
        text: String,
    },
    /// An architecture or variant with other characters than they may have.
    #[error("expected letters, digits, `_`, `.` and `-` in each part, found {text:?}")]
    Part {
        /// The part.
        text: String,
    },
    /// A `%` without two hex digits, or bytes that are not UTF-8.
    #[error("expected `%` and two hex digits for each byte of a UTF-8 text, found {text:?}")]
    PercentEncoding {
        /// The version or feature.
        text: String,
    },
}

impl Platform {
    /// Parses `os[(version+feature…)]/architecture[/variant]`, or a single known OS or architecture (an alias
    /// such as `x86_64` too), which leaves the other half empty. What was typed is kept; nothing is normalised.
    ///
    /// Two or three parts need not be known: new systems must not wait for a new restow.
    pub fn parse(text: &str) -> Result<Platform, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (first, architecture, variant) = match *parts {
            [first] => (first, None, None),
            [first, architecture] => (first, Some(architecture), None),
            [first, architecture, variant] => (first, Some(architecture), Some(variant)),
            _ => return Err(PlatformError::TooManyParts { found: parts.len() }),
        };
        for part in [architecture, variant].into_iter().flatten() {
            if part.is_empty() || !part.bytes().all(|b| is_word(b) || b == b'.') {
                return Err(PlatformError::Part { text: part.to_owned() });
            }
        }
        let lower = first.to_ascii_lowercase();
        if architecture.is_none() && (is_known_architecture(&lower) || alias_of(&lower).is_some()) {
            return Ok(Platform { architecture: first.to_owned(), ..Platform::default() });
        }
        let mut platform = parse_os(first)?;
        if architecture.is_none() && !is_known_os(normal_os(&platform.os.to_ascii_lowercase())) {
            return Err(PlatformError::UnknownWord { text: text.to_owned() });
        }
        platform.architecture = architecture.unwrap_or_default().to_owned();
        platform.variant = variant.map(str::to_owned);
        Ok(platform)
    }

    /// The form in which platforms are compared: lower case, aliases resolved, default variants dropped
    /// (`arm64/v8`, `amd64/v1`) or supplied (`arm` is `arm/v7`), features sorted. Empty parts stay empty.
    #[must_use]
    pub fn normalised(&self) -> Platform {
        let os = normal_os(&self.os.to_ascii_lowercase()).to_owned();
        let architecture = self.architecture.to_ascii_lowercase();
        let variant = self.variant.as_deref().unwrap_or_default().to_ascii_lowercase();
        let variant = match (&*architecture, &*variant) {
            ("i386", _) => "",
            ("x86_64" | "x86-64" | "amd64", "v1") => "",
            ("aarch64" | "arm64", "8" | "v8" | "v8.0") => "",
            ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => "v9",
            ("armhf", _) | ("arm", "" | "7") => "v7",
            ("armel", _) => "v6",
            ("arm", "5") => "v5",
            ("arm", "6") => "v6",
            ("arm", "8") => "v8",
            (_, other) => other,
        };
        let mut os_features = self.os_features.clone();
        os_features.sort();
        os_features.dedup();
        Platform {
            os,
            architecture: alias_of(&architecture).unwrap_or(&architecture).to_owned(),
            variant: some(variant),
            os_version: self.os_version.as_deref().and_then(some),
            os_features,
        }
    }

    /// Whether an image for `self` is one for `wanted`, strictly, after normalisation of both.
    ///
    /// OS, architecture and variant must be equal, and `wanted` must offer every OS feature of the image, save
    /// `win32k`. On Windows `wanted.os_version` is the build of the host. An empty part matches only an empty
    /// part; for what a user typed see [`Specifier`].
    pub fn matches(&self, wanted: &Platform) -> bool {
        let (image, wanted) = (self.normalised(), wanted.normalised());
        os_matches(&image, &wanted)
            && (&image.architecture, &image.variant) == (&wanted.architecture, &wanted.variant)
    }

    /// Whether this is `unknown/unknown`, which BuildKit gives to attestations.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }
}

impl fmt::Display for Platform {
    /// The text that [`Platform::parse`] reads, from the parts as they are; of a normalised platform it is the
    /// form that containerd prints, `linux/arm/v7` or `linux/arm64`. Without any part: `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.os.clone();
        if !self.os.is_empty() && (self.os_version.is_some() || !self.os_features.is_empty()) {
            text.push('(');
            escape(&mut text, self.os_version.as_deref().unwrap_or_default());
            for feature in &self.os_features {
                text.push('+');
                escape(&mut text, feature);
            }
            text.push(')');
        }
        for part in [&self.architecture, self.variant.as_deref().unwrap_or_default()] {
            if !part.is_empty() {
                text.push_str(if text.is_empty() { "" } else { "/" });
                text.push_str(part);
            }
        }
        f.write_str(if text.is_empty() { "unknown" } else { &text })
    }
}

/// What a user asks for by `--platform`: a half that was left out matches anything.
///
/// `linux` takes every architecture and variant; `arm64` takes every OS, in the variant that `arm64` names. Where
/// an architecture is given, a missing variant is *not* open: `linux/arm` is `linux/arm/v7`, and `linux/amd64` does
/// not take `linux/amd64/v3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Specifier(Platform);

impl Specifier {
    /// As [`Platform::parse`].
    pub fn parse(text: &str) -> Result<Specifier, PlatformError> {
        Platform::parse(text).map(Specifier)
    }

    /// What was typed; a half that was left out is empty.
    pub fn platform(&self) -> &Platform {
        &self.0
    }

    /// Whether an image for this platform is asked for.
    pub fn matches(&self, image: &Platform) -> bool {
        let (image, wanted) = (image.normalised(), self.0.normalised());
        (wanted.os.is_empty() || os_matches(&image, &wanted))
            && (wanted.architecture.is_empty()
                || (&image.architecture, &image.variant) == (&wanted.architecture, &wanted.variant))
    }
}

impl fmt::Display for Specifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether Go knows this GOOS. Not true of `unknown` and of other spellings.
pub fn is_known_os(os: &str) -> bool {
    KNOWN_OS.binary_search(&os).is_ok()
}

/// Whether Go knows this GOARCH. Not true of `unknown` and of aliases.
pub fn is_known_architecture(architecture: &str) -> bool {
    KNOWN_ARCHITECTURES.binary_search(&architecture).is_ok()
}

/// The GOARCH that this lower-case name stands for, if it is another name for one.
///
/// `armhf` and `armel` also stand for a variant: see [`Platform::normalised`].
pub fn alias_of(architecture: &str) -> Option<&'static str> {
    match architecture {
        "i386" => Some("386"),
        "x86_64" | "x86-64" => Some("amd64"),
        "aarch64" => Some("arm64"),
        "armhf" | "armel" => Some("arm"),
        _ => None,
    }
}

/// Whether `variant` is in the table of formats.md D.6 for this GOARCH.
pub fn is_known_variant(architecture: &str, variant: &str) -> bool {
    match architecture {
        "arm" => matches!(variant, "v5" | "v6" | "v7" | "v8"),
        "arm64" => match variant.strip_prefix("v8").or_else(|| variant.strip_prefix("v9")) {
            Some(minor) => minor.is_empty() || matches!(minor.as_bytes(), [b'.', b'1'..=b'9']),
            None => false,
        },
        "amd64" => matches!(variant, "v1" | "v2" | "v3" | "v4"),
        "ppc64le" => matches!(variant, "power8" | "power9" | "power10"),
        "riscv64" => matches!(variant, "rva20u64" | "rva22u64" | "rva23u64"),
        _ => false,
    }
}

fn normal_os(os: &str) -> &str {
    if os == "macos" { "darwin" } else { os }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Compares the halves of two normalised platforms that belong to the OS.
fn os_matches(image: &Platform, host: &Platform) -> bool {
    // Every Windows host has `win32k` unless it says otherwise, which no document can.
    let mut needed = image.os_features.iter().filter(|feature| *feature != "win32k");
    image.os == host.os
        && needed.all(|feature| host.os_features.contains(feature))
        && (image.os != "windows" || windows_runs(host.os_version.as_deref(), image.os_version.as_deref()))
}

fn windows_runs(host: Option<&str>, image: Option<&str>) -> bool {
    let (Some(host), Some(image)) = (host, image) else { return true };
    let (host, image) = (windows_build(host), windows_build(image));
    // A host whose version cannot be read is no restriction; an image's is one (containerd).
    if host == (0, 0, 0) {
        return true;
    }
    let builds = match host.2 {
        old if old < WINDOWS_STABLE_BUILD => old..=old,
        build => WINDOWS_STABLE_BUILD..=build,
    };
    (host.0, host.1) == (image.0, image.1) && builds.contains(&image.2)
}

/// Major, minor, build; zeros for what has fewer than three numbers.
fn windows_build(version: &str) -> (u8, u8, u16) {
    let mut parts = version.split('.');
    let mut next = || parts.next().unwrap_or_default();
    match (next().parse(), next().parse(), next().parse()) {
        (Ok(major), Ok(minor), Ok(build)) => (major, minor, build),
        _ => (0, 0, 0),
    }
}

fn parse_os(text: &str) -> Result<Platform, PlatformError> {
    let wrong = || PlatformError::Os { text: text.to_owned() };
    let (os, options) = match text.split_once('(') {
        Some((os, rest)) => (os, rest.strip_suffix(')').ok_or_else(wrong)?),
        None => (text, ""),
    };
    let option_byte = |b: u8| is_word(b) || matches!(b, b'.' | b'%' | b'+');
    if os.is_empty() || !os.bytes().all(is_word) || !options.bytes().all(option_byte) {
        return Err(wrong());
    }
    let mut options = options.split('+');
    let os_version = some(&unescape(options.next().unwrap_or_default())?);
    let os_features = options.map(unescape).collect::<Result<Vec<_>, _>>()?;
    if os_features.iter().any(String::is_empty) {
        return Err(wrong());
    }
    Ok(Platform { os: os.to_owned(), os_version, os_features, ..Platform::default() })
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
}

fn escape(out: &mut String, text: &str) {
    for &b in text.as_bytes() {
        if is_word(b) || b == b'.' {
            out.push(char::from(b));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{b:02X}");
        }
    }
}

fn unescape(text: &str) -> Result<String, PlatformError> {
    let wrong = || PlatformError::PercentEncoding { text: text.to_owned() };
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (hex, rest) = piece.split_at_checked(2).ok_or_else(wrong)?;
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        bytes.push(u8::from_str_radix(hex, 16).map_err(|_| wrong())?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn platform(text: &str) -> Platform {
        Platform::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn specifier(text: &str) -> Specifier {
        Specifier::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn normal_forms() {
        for (text, normal) in [
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm64/8", "linux/arm64"),
            ("linux/arm64/v8.0", "linux/arm64"),
            ("linux/arm64/9", "linux/arm64/v9"),
            ("linux/arm64/9.0", "linux/arm64/v9"),
            ("linux/arm64/v9.0", "linux/arm64/v9"),
            ("linux/arm64/v9.2", "linux/arm64/v9.2"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/7", "linux/arm/v7"),
            ("linux/arm/5", "linux/arm/v5"),
            ("linux/arm/6", "linux/arm/v6"),
            ("linux/arm/8", "linux/arm/v8"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/armhf/v5", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/x86_64/v1", "linux/amd64"),
            ("linux/x86-64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/i386/x", "linux/386"),
            ("macos/arm64", "darwin/arm64"),
            ("Linux/AMD64/V2", "linux/amd64/v2"),
            ("linux/ppc64le", "linux/ppc64le"),
            ("windows(10.0.17763+b+a+b)/amd64", "windows(10.0.17763+a+b)/amd64"),
        ] {
            let normalised = platform(text).normalised();
            assert_eq!(normalised.to_string(), normal);
            assert_eq!(normalised.normalised(), normalised, "{text}");
        }
        let empty = Platform { variant: Some(String::new()), ..Platform::default() };
        assert_eq!(empty.normalised(), Platform::default());
    }

    #[test]
    fn matching_is_strict() {
        for (image, wanted, same) in [
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm", "linux/arm/v7", true),
            ("linux/aarch64", "linux/arm64/8", true),
            ("linux/amd64/v3", "linux/amd64", false),
            ("linux/arm/v6", "linux/arm", false),
            // What a fallback would take.
            ("linux/arm/v7", "linux/arm64", false),
            ("linux/386", "linux/amd64", false),
            ("linux/amd64/v2", "linux/amd64", false),
            ("linux/amd64", "freebsd/amd64", false),
            ("linux(+x)/amd64", "linux/amd64", false),
            ("linux(+x)/amd64", "linux(+y+x)/amd64", true),
            ("linux/amd64", "linux(+x)/amd64", true),
            ("linux(5)/amd64", "linux(6)/amd64", true),
            ("windows(+win32k)/amd64", "windows/amd64", true),
            ("linux", "linux/amd64", false),
            ("linux/amd64", "linux", false),
        ] {
            assert_eq!(platform(image).matches(&platform(wanted)), same, "{image} for {wanted}");
        }
    }

    #[test]
    fn windows_builds() {
        for (host, image, runs) in [
            ("10.0.17763.1", "10.0.17763.9999", true),
            ("10.0.17763", "10.0.17764", false),
            ("10.0.20347", "10.0.20346", false),
            ("10.0.20348", "10.0.20348.5", true),
            ("10.0.20348", "10.0.20347", false),
            ("10.0.20348", "10.0.20349", false),
            ("10.0.22621", "10.0.20348", true),
            ("10.0.26100", "10.0.20348", true),
            ("10.0.26100", "10.0.17763", false),
            ("10.0.26100", "10.0.26101", false),
            ("10.1.20348", "10.0.20348", false),
            ("11.0.20348", "10.0.20348", false),
            ("10.0.20348", "10.0", false),
            ("10.0", "10.0.20348", true),
            ("10.0.20348", "10.0.70000", false),
        ] {
            let (image_platform, host_platform) =
                (platform(&format!("windows({image})/amd64")), platform(&format!("windows({host})/amd64")));
            assert_eq!(image_platform.matches(&host_platform), runs, "{image} on {host}");
            assert!(image_platform.matches(&platform("windows/amd64")));
            assert!(platform("windows/amd64").matches(&host_platform));
        }
    }

    #[test]
    fn a_missing_half_of_a_specifier_is_open() {
        for (wanted, image, taken) in [
            ("linux", "linux/arm/v6", true),
            ("linux", "linux/amd64/v3", true),
            ("linux", "windows/amd64", false),
            ("macos", "darwin/arm64", true),
            ("windows(10.0.20348)", "windows(10.0.17763)/amd64", false),
            ("arm64", "linux/aarch64/v8", true),
            ("arm64", "freebsd/arm64", true),
            ("arm64", "linux/arm64/v9", false),
            ("armhf", "linux/arm/v7", true),
            ("X86_64", "linux(+x)/amd64", true),
            ("linux/arm", "linux/arm/v7", true),
            ("linux/arm", "linux/arm/v6", false),
            ("linux/amd64", "linux/amd64/v3", false),
        ] {
            assert_eq!(specifier(wanted).matches(&platform(image)), taken, "{wanted} takes {image}");
        }
        assert_eq!(specifier("x86_64").platform().architecture, "x86_64");
        assert!(!specifier("linux/amd64").matches(&Platform::default()));
    }

    #[test]
    fn specifier_text() {
        let windows = platform("windows(10.0.20348.1%2B2+a%20b+win32k)/amd64/v2");
        assert_eq!(windows.os_version.as_deref(), Some("10.0.20348.1+2"));
        assert_eq!(windows.os_features, ["a b", "win32k"]);
        assert_eq!(windows.to_string(), "windows(10.0.20348.1%2B2+a%20b+win32k)/amd64/v2");
        assert_eq!(platform("windows()/amd64").to_string(), "windows/amd64");
        assert_eq!(platform("new/cpu/x.y").to_string(), "new/cpu/x.y");
        assert_eq!(Platform::default().to_string(), "unknown");

        use PlatformError as E;
        assert_eq!(Platform::parse("a/b/c/d"), Err(E::TooManyParts { found: 4 }));
        for word in ["vax", "unknown", "v7"] {
            assert_eq!(Platform::parse(word), Err(E::UnknownWord { text: word.into() }));
        }
        for os in ["", "li.nux", "li nux", "*", "x(", "x(a))", "(a)", "x(a+)", "x(a b)", "x(a)b"] {
            assert_eq!(Platform::parse(&format!("{os}/amd64")), Err(E::Os { text: os.into() }));
        }
        for part in ["", "*", "a(b)", "é", "a b"] {
            assert_eq!(Platform::parse(&format!("linux/{part}")), Err(E::Part { text: part.into() }));
            assert_eq!(Platform::parse(&format!("linux/arm/{part}")), Err(E::Part { text: part.into() }));
        }
        for version in ["%", "%2", "%g0", "%+1", "%FF"] {
            assert!(Platform::parse(&format!("x({version})/y")).is_err(), "{version}");
        }
        assert_eq!(Platform::parse("x(1%2)/y"), Err(E::PercentEncoding { text: "1%2".into() }));
    }

    #[test]
    fn tables() {
        assert!(KNOWN_OS.is_sorted() && KNOWN_ARCHITECTURES.is_sorted());
        assert_eq!((KNOWN_OS.len(), KNOWN_ARCHITECTURES.len()), (18, 24));
        assert!(is_known_os("wasip1") && !is_known_os("macos") && !is_known_os("unknown"));
        assert!(is_known_architecture("386") && !is_known_architecture("x86_64"));
        assert_eq!(alias_of("aarch64"), Some("arm64"));
        assert_eq!(alias_of("arm64"), None);
        for (architecture, variants) in [
            ("arm", &["v5", "v6", "v7", "v8"][..]),
            ("arm64", &["v8", "v8.1", "v8.9", "v9", "v9.5"]),
            ("amd64", &["v1", "v4"]),
            ("ppc64le", &["power8", "power10"]),
            ("riscv64", &["rva20u64", "rva22u64"]),
        ] {
            assert!(variants.iter().all(|variant| is_known_variant(architecture, variant)), "{architecture}");
        }
        for (architecture, variant) in [
            ("arm", "7"),
            ("arm64", "v7"),
            ("arm64", "v8.0"),
            ("arm64", "v8."),
            ("arm64", "v81"),
            ("amd64", "v5"),
            ("386", "v1"),
        ] {
            assert!(!is_known_variant(architecture, variant), "{architecture}/{variant}");
        }
        assert!(platform("unknown/unknown").is_unknown() && !platform("linux/unknown").is_unknown());
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(
            os in "[A-Za-z0-9_-]{1,6}",
            architecture in "[A-Za-z0-9_.-]{1,6}",
            variant in proptest::option::of("[A-Za-z0-9_.-]{1,4}"),
            os_version in proptest::option::of("\\PC{1,6}"),
            os_features in proptest::collection::vec("[a-c%+/() é]{1,4}", 0..3),
        ) {
            let platform = Platform { os, architecture, variant, os_version, os_features };
            prop_assert_eq!(Platform::parse(&platform.to_string()), Ok(platform));
        }

        #[test]
        fn what_parses_prints_back_and_matches_itself(text in "[a-z0-9(+.%)/é]{0,12}") {
            if let Ok(platform) = Platform::parse(&text) {
                prop_assert_eq!(&Platform::parse(&platform.to_string()), &Ok(platform.clone()));
                prop_assert!(platform.matches(&platform));
            }
        }
    }
}

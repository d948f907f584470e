//! `WWW-Authenticate`: how a registry wants to be asked.

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token from elsewhere.
    Bearer {
        /// Where to get it.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// For what, in the registry's own words.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The best of the challenges in all headers: a token before a password.
    pub fn of(headers: &[String]) -> Option<Challenge> {
        let all: Vec<Challenge> = headers.iter().flat_map(|header| parse(header)).collect();
        let bearer = all.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        bearer.or(all.first()).cloned()
    }
}

/// The challenges of one header: schemes, each with parameters (RFC 9110, 11.6.1).
fn parse(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut rest = header.trim_start();
    while !rest.is_empty() {
        let (scheme, after) = rest.split_at(rest.find([' ', ',']).unwrap_or(rest.len()));
        let mut parameters: Vec<(String, String)> = Vec::new();
        rest = after.trim_start_matches([' ', ',']);
        while let Some((name, value, after)) = parameter(rest) {
            parameters.push((name, value));
            rest = after.trim_start_matches([' ', ',']);
        }
        let get = |wanted: &str| {
            let found = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            found.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer") {
            if let Some(realm) = get("realm") {
                found.push(Challenge::Bearer { realm, service: get("service"), scope: get("scope") });
            }
        }
    }
    found
}

/// `name=value` or `name="value"` at the beginning, and what follows.
fn parameter(text: &str) -> Option<(String, String, &str)> {
    let at = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.!#$%&'*+^`|~".contains(c)))?;
    let (name, rest) = text.split_at(at);
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    if name.is_empty() {
        return None;
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let (value, rest) = rest.split_at(rest.find([' ', ',']).unwrap_or(rest.len()));
        return Some((name.to_owned(), value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((name.to_owned(), value, &quoted[at + 1..])),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            letter => value.push(letter),
        }
    }
    Some((name.to_owned(), value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Option<Challenge> {
        Challenge::of(&[header.to_owned()])
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge::Bearer { realm: realm.into(), service: own(service), scope: own(scope) })
    }

    #[test]
    fn challenges_as_registries_write_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let wanted = bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:a/b:pull,push"),
        );
        assert_eq!(of(hub), wanted);
        assert_eq!(of(r#"bearer  service=s , realm = "r\"x" "#), bearer("r\"x", Some("s"), None));
        assert_eq!(of(r#"Basic realm="Registry Realm""#), Some(Challenge::Basic));
        assert_eq!(of("Basic"), Some(Challenge::Basic));
        assert_eq!(of(r#"Basic realm="x", Bearer realm="r""#), bearer("r", None, None));
        assert_eq!(of(r#"Negotiate, Bearer realm="r""#), bearer("r", None, None));
    }

    #[test]
    fn challenges_that_are_none() {
        for header in
            ["", "Bearer", "Bearer realm=", r#"Bearer realm="""#, "Negotiate abc==", "=", "\"", ", ,"]
        {
            assert_eq!(of(header), None, "{header}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_or_hangs(text in "[Bb]earer [a-z=\", \\\\é]{0,40}|\\PC{0,40}") {
            let _ = of(&text);
        }
    }
}

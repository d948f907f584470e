//! Where a redirect may lead.

use super::failure::{Cause, Failure};
use super::options::Options;
use super::url::Url;

/// The address that an answer redirects to; `None` if it does not redirect.
///
/// From `https` no way leads to plain HTTP, and from another machine none to this one in plain HTTP: a registry must not
/// make restow ask what only this machine may ask.
pub(super) fn target(
    status: u16,
    location: Option<&str>,
    from: &Url,
    options: &Options,
) -> Result<Option<Url>, Failure> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let host = from.origin().authority();
    let Some(location) = location else {
        let problem = "is missing".to_owned();
        return Err(Failure::new(host, Cause::BadAddress { header: "Location", problem }));
    };
    let to = from.join(location).map_err(|problem| {
        let problem = problem.to_string();
        Failure::new(host, Cause::BadAddress { header: "Location", problem })
    })?;
    allowed(from, &to, options)?;
    Ok(Some(to))
}

/// Whether restow may go on from one address to another that an answer names.
pub(super) fn allowed(from: &Url, to: &Url, options: &Options) -> Result<(), Failure> {
    let host = from.origin().authority();
    if to.origin().tls || options.is_insecure(to.origin().authority()) {
        return Ok(());
    }
    if from.origin().tls && !options.is_insecure(host) {
        return Err(Failure::new(host, Cause::Downgrade { to: to.origin().to_string() }));
    }
    // What was not protected before cannot lose protection; but only this machine leads to itself.
    let near = to.origin().is_loopback();
    let open = if near { from.origin().is_loopback() } else { options.is_insecure(host) };
    if open { Ok(()) } else { Err(Failure::new(to.origin().authority(), Cause::PlainHttp)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Environment;
    use crate::limits::Limits;

    #[test]
    fn ways_that_are_open_and_closed() {
        let mut options = Options::new(&Limits::default(), Environment::default());
        options.insecure.insert("lax:5000".into());
        for (from, to, open) in [
            ("https://r/", "https://s/", true),
            ("https://r/", "http://s/", false),
            ("https://r/", "http://127.0.0.1/", false),
            ("https://r/", "http://lax:5000/", true),
            ("http://127.0.0.1:5000/", "http://localhost:9000/", true),
            ("http://127.0.0.1:5000/", "http://s/", false),
            ("http://127.0.0.1:5000/", "https://s/", true),
            ("http://lax:5000/", "http://s/", true),
            ("https://lax:5000/", "http://s/", true),
            ("http://lax:5000/", "http://127.0.0.1/", false),
        ] {
            let (from, to) = (Url::parse(from).expect("url"), Url::parse(to).expect("url"));
            assert_eq!(allowed(&from, &to, &options).is_ok(), open, "{from} {to}");
        }
    }

    #[test]
    fn addresses_that_are_none() {
        let options = Options::new(&Limits::default(), Environment::default());
        let from = Url::parse("https://r/v2/").expect("url");
        assert_eq!(target(200, Some("/x"), &from, &options), Ok(None));
        assert_eq!(target(304, None, &from, &options), Ok(None));
        for location in [None, Some("ftp://x/"), Some("https://u:p@x/"), Some("a\u{1}b")] {
            let cause = target(307, location, &from, &options).expect_err("refused").cause;
            assert!(matches!(cause, Cause::BadAddress { header: "Location", .. }), "{cause:?}");
        }
    }
}

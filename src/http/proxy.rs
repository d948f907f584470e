//! Proxies by the usual variables: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, in either case.

use std::net::IpAddr;

use super::environment::Environment;
use super::failure::{Cause, Failure};
use super::url::Origin;

/// The proxy for an origin; none for this machine.
pub(super) fn of(environment: &Environment, origin: &Origin) -> Result<Option<ureq::Proxy>, Failure> {
    let Some(address) = address(environment, origin) else { return Ok(None) };
    let with_scheme = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let unusable = |_| {
        // Not the address itself: it may hold a password.
        Failure::new(origin.authority(), Cause::Proxy("its address is not one".into()))
    };
    ureq::Proxy::new(&with_scheme).map(Some).map_err(unusable)
}

fn address<'a>(environment: &'a Environment, origin: &Origin) -> Option<&'a str> {
    let any = |upper: &str, lower: &str| environment.text(lower).or_else(|| environment.text(upper));
    if origin.is_loopback() || any("NO_PROXY", "no_proxy").is_some_and(|list| is_excepted(list, origin)) {
        return None;
    }
    let by_scheme =
        if origin.tls { any("HTTPS_PROXY", "https_proxy") } else { any("HTTP_PROXY", "http_proxy") };
    by_scheme.or_else(|| any("ALL_PROXY", "all_proxy"))
}

/// Whether `NO_PROXY` names an origin: by host, by a domain that it is in, by address or range, or by `*`.
fn is_excepted(list: &str, origin: &Origin) -> bool {
    let host = origin.host().trim_start_matches('[').trim_end_matches(']');
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        if entry == "*" {
            return true;
        }
        if let (Some((net, bits)), Ok(address)) = (entry.split_once('/'), host.parse::<IpAddr>()) {
            return is_in(address, net, bits);
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name, port.parse::<u16>().ok()),
            _ => (entry.as_str(), None),
        };
        let name = name.strip_prefix('*').unwrap_or(name);
        let domain = name.strip_prefix('.').unwrap_or(name);
        let inside = host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        (inside || (host == domain && !name.starts_with('.')))
            && port.is_none_or(|port| port == origin.port())
    })
}

fn is_in(address: IpAddr, net: &str, bits: &str) -> bool {
    let (Ok(net), Ok(bits)) = (net.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(b)) if bits <= 32 => {
            (u32::from(a) ^ u32::from(b)).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) if bits <= 128 => {
            (u128::from(a) ^ u128::from(b)).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(vars: &[(&str, &str)], tls: bool, host: &str) -> Option<String> {
        let origin = Origin::new(tls, host).expect("host");
        address(&Environment::of(vars.iter().copied()), &origin).map(str::to_owned)
    }

    #[test]
    fn each_scheme_has_its_own() {
        let vars = [("HTTPS_PROXY", "s:1"), ("http_proxy", "h:1")];
        assert_eq!(found(&vars, true, "r.io").as_deref(), Some("s:1"));
        assert_eq!(found(&vars, false, "r.io").as_deref(), Some("h:1"));
        assert_eq!(found(&[("ALL_PROXY", "a:1")], true, "r.io").as_deref(), Some("a:1"));
        assert_eq!(found(&[("ALL_PROXY", "a:1")], true, "localhost:5000"), None);
        assert_eq!(found(&[("HTTPS_PROXY", "")], true, "r.io"), None);
    }

    #[test]
    fn exceptions() {
        for (list, host, excepted) in [
            ("*", "r.io", true),
            ("r.io", "r.io", true),
            ("r.io", "a.r.io", true),
            (".r.io", "a.r.io", true),
            (".r.io", "r.io", false),
            ("*.r.io", "a.r.io", true),
            ("r.io", "xr.io", false),
            ("r.io:5000", "r.io:5000", true),
            ("r.io:5000", "r.io:5001", false),
            ("a, r.io", "r.io", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("fe80::/10", "[fe80::1]:5000", true),
        ] {
            let vars = [("HTTPS_PROXY", "p:1"), ("NO_PROXY", list)];
            assert_eq!(found(&vars, true, host).is_none(), excepted, "{list} {host}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_not_shown() {
        let vars = Environment::of([("HTTPS_PROXY", "http://user:pass word@p:1")]);
        let origin = Origin::new(true, "r.io").expect("host");
        let failure = of(&vars, &origin).expect_err("no address");
        assert!(!failure.to_string().contains("pass"), "{failure}");
    }
}

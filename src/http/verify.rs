//! Whether a server's certificate is to be believed: as rustls judges, and one more that Docker and skopeo take.
//!
//! `openssl req -x509` makes a certificate that signs itself and says that it is an authority; home registries show just
//! that one. rustls takes no authority for a server. Where the user trusts the very certificate that is shown, there is
//! nothing that an authority could add: only its dates and its name are judged then, as Go's library does.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Believes what the trusted certificates vouch for, and these themselves.
#[derive(Debug)]
pub(super) struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// With these certificates, of which unreadable ones are passed over.
    ///
    /// # Errors
    /// None of them can be used.
    pub fn new(
        trusted: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Verifier, VerifierBuilderError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Verifier { inner, trusted })
    }
}

/// Whether a certificate was refused for nothing but that it is one of an authority. webpki judges the dates before.
pub(super) fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.inner.verify_server_cert(shown, between, name, ocsp, now) {
            Err(error) if is_authority(&error) && self.trusted.iter().any(|trusted| trusted == shown) => {
                verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, shown, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Believes anybody: for hosts that the user exempts with `--tls-verify=false`.
#[derive(Debug)]
pub(super) struct Credulous(pub Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    // Made by `openssl req -x509 -subj /CN=… -addext subjectAltName=DNS:…`; from November 2026 to November 2126.
    /// CA:TRUE, signs itself, `home.example`.
    const HOME: &str = "\
        MIIBjzCCATSgAwIBAgIUbwJQLVd6E6ZzKiH1FyY9/3ZGWX4wCgYIKoZIzj0EAwIwDzENMAsGA1UEAwwEaG9tZTAgFw0yNjExMjkw\
        OTQ0MTBaGA8yMTI2MTEwNTA5NDQxMFowDzENMAsGA1UEAwwEaG9tZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIsOqXR0yRcf\
        fFsygxqSyauWhwsNd/cqnUAPw937OVd2tbQOURqC2ET98O4kXOnKhR2hcVxU4vPMnm5GthW2xcyjbDBqMB0GA1UdDgQWBBSBuwGN\
        P/+IM8usR2knTUNXvtl0ajAfBgNVHSMEGDAWgBSBuwGNP/+IM8usR2knTUNXvtl0ajAPBgNVHRMBAf8EBTADAQH/MBcGA1UdEQQQ\
        MA6CDGhvbWUuZXhhbXBsZTAKBggqhkjOPQQDAgNJADBGAiEArb5qiiSD4fKnkaskd5P6WK4b9JA+FuNwH7oznQQ1pa8CIQDiRX5a\
        lxUO2bhZwfBHxyhwepDJQXGGHNlRgA8z+SNx9g==";
    /// CA:FALSE, signed by `HOME`, `leaf.example`.
    const LEAF: &str = "\
        MIIBhzCCAS6gAwIBAgIUXZmnsenOPczfkYu2gYPLMMk80FcwCgYIKoZIzj0EAwIwDzENMAsGA1UEAwwEaG9tZTAgFw0yNjExMjkw\
        OTQ0MTBaGA8yMTI2MTEwNTA5NDQxMFowDzENMAsGA1UEAwwEbGVhZjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHO9GFiMZA//\
        JJlgUz84TWlh6gYICkYAtYUt1p/BeKJM8bSl8HapT3rx2RQT0P21dsGKQ3xCkoqPdJrnf35KbrmjZjBkMBcGA1UdEQQQMA6CDGxl\
        YWYuZXhhbXBsZTAJBgNVHRMEAjAAMB0GA1UdDgQWBBSEdq/8aaEk+rBBH/RlojV+KZgzVDAfBgNVHSMEGDAWgBSBuwGNP/+IM8us\
        R2knTUNXvtl0ajAKBggqhkjOPQQDAgNHADBEAiBmkeY/wjc62ePpqzLGB5WMmRXrEAqRDZOVdcfSVwkP8wIgGyErzG3uGEHrQNxq\
        O6ZcpExepXWsKm99Mf9I5arxGPk=";
    /// As `HOME`, by another key.
    const OTHER: &str = "\
        MIIBkDCCATagAwIBAgIUFs1mu8ZNRqGiJ602MB5Zfpj/55MwCgYIKoZIzj0EAwIwEDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTI5\
        MDk0NDEwWhgPMjEyNjExMDUwOTQ0MTBaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnePV4mGZ\
        2+/vKRttWa5GJQvZOUC6o7oJDgd95NJ/QooqJ7irzYc4UyC4Bl5sep2hdK//m7H5Y24hlnm0WlwVMqNsMGowHQYDVR0OBBYEFDjE\
        NonPQIupUyqfA7/im9xZNWw/MB8GA1UdIwQYMBaAFDjENonPQIupUyqfA7/im9xZNWw/MA8GA1UdEwEB/wQFMAMBAf8wFwYDVR0R\
        BBAwDoIMaG9tZS5leGFtcGxlMAoGCCqGSM49BAMCA0gAMEUCIQDzajkd9Y7JygzuQNxGjxIIgZRMlUdroCxayuxQZZLqJwIgDF9m\
        iBkJCNLf014RdGPCGSsxe9N6/3qmrNpA7tziyVY=";

    const YEAR: u64 = 365 * 24 * 3600;

    fn certificate(text: &str) -> CertificateDer<'static> {
        data_encoding::BASE64.decode(text.as_bytes()).expect("base64").into()
    }

    /// What is said of a certificate in some year by who trusts another.
    fn judged(trusted: &str, shown: &str, name: &str, year: u64) -> Result<(), String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new(vec![certificate(trusted)], provider).expect("a root");
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * YEAR));
        let name = ServerName::try_from(name).expect("a name");
        let judged = verifier.verify_server_cert(&certificate(shown), &[], &name, &[], now);
        judged.map(drop).map_err(|error| match error {
            error if is_authority(&error) => "authority".to_owned(),
            Error::InvalidCertificate(error) => {
                let text = format!("{error:?}");
                text.split([' ', '{', '(']).next().unwrap_or_default().trim_end_matches("Context").to_owned()
            }
            error => error.to_string(),
        })
    }

    #[test]
    fn a_certificate_that_is_trusted_itself_needs_dates_and_name() {
        let says = |text: &str| Err(text.to_owned());
        assert_eq!(judged(HOME, HOME, "home.example", 2030), Ok(()));
        assert_eq!(judged(HOME, HOME, "else.example", 2030), says("NotValidForName"));
        assert_eq!(judged(HOME, HOME, "home.example", 2020), says("NotValidYet"));
        assert_eq!(judged(HOME, HOME, "home.example", 2200), says("Expired"));
        assert_eq!(judged(OTHER, HOME, "home.example", 2030), says("authority"));
    }

    #[test]
    fn what_it_signed_is_judged_as_ever() {
        let says = |text: &str| Err(text.to_owned());
        assert_eq!(judged(HOME, LEAF, "leaf.example", 2030), Ok(()));
        assert_eq!(judged(HOME, LEAF, "home.example", 2030), says("NotValidForName"));
        assert_eq!(judged(HOME, LEAF, "leaf.example", 2200), says("Expired"));
        assert_eq!(judged(OTHER, LEAF, "leaf.example", 2030), says("UnknownIssuer"));
    }
}

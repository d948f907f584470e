//! Whom to trust: the system's certificates, else those bundled, and those that the user gives; certificates of our own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;

use super::failure::{Cause, Failure};
use super::options::Options;
use super::url::Origin;
use super::verify::{Credulous, Verifier};
use crate::pem::{certificate_and_key, certificates};

/// Certificates trusted for every host.
pub(super) struct Trust {
    roots: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Reads those of the system, or takes the bundled ones where it has none, and those given with `--ca`.
    ///
    /// # Errors
    /// A file of `--ca` that cannot be read or holds no certificate.
    pub fn load(options: &Options) -> Result<Trust, Failure> {
        let mut roots = rustls_native_certs::load_native_certs().certs;
        if roots.is_empty() {
            roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec();
        }
        for file in &options.ca {
            let more = certificates(file).map_err(|why| Failure::new("--ca", Cause::LocalTls(why)))?;
            roots.extend(more);
        }
        Ok(Trust { roots })
    }

    /// What holds for one host: its folders in `certs.d` add authorities and name the certificate that we show.
    ///
    /// # Errors
    /// A file there that cannot be used.
    pub fn of(&self, origin: &Origin, options: &Options) -> Result<Arc<ClientConfig>, Failure> {
        let local = |why| Failure::new(origin.authority(), Cause::LocalTls(why));
        let unusable = |error: &dyn std::fmt::Display| local(format!("TLS cannot be used: {error}"));
        let mut roots = self.roots.clone();
        let mut shown = None;
        for folder in options.certs_folders.iter().flat_map(|folder| folders(folder, origin)) {
            for file in files(&folder, "crt") {
                roots.extend(certificates(&file).map_err(local)?);
            }
            for file in files(&folder, "cert") {
                let key = file.with_extension("key");
                shown = Some(certificate_and_key(&file, &key).map_err(local)?);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if options.is_insecure(origin.authority()) {
            Arc::new(Credulous(Arc::clone(&provider)))
        } else {
            Arc::new(Verifier::new(roots, Arc::clone(&provider)).map_err(|error| unusable(&error))?)
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match shown {
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }
}

/// The folders of a host: `host:port` as it is typed, and with the port that is implied.
fn folders(folder: &Path, origin: &Origin) -> Vec<PathBuf> {
    let mut names = vec![origin.authority().to_owned()];
    if origin.host() == origin.authority() {
        names.push(format!("{}:{}", origin.host(), origin.port()));
    }
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// The files of a folder with an extension, in order; none if there is no such folder.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Environment;
    use crate::limits::Limits;

    #[test]
    fn files_that_hold_nothing_are_told() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, "no certificate").expect("written");
        let mut options = Options::new(&Limits::default(), Environment::default());
        options.ca = vec![file.clone()];
        let failure = Trust::load(&options).err().expect("no certificate").to_string();
        assert_eq!(failure, format!("--ca: {} holds no certificate in PEM", file.display()));
        options.ca = vec![dir.path().join("absent")];
        assert!(Trust::load(&options).err().expect("absent").to_string().contains("cannot open"));
    }

    #[test]
    fn folders_of_a_host() {
        let origin = Origin::new(true, "r.io").expect("host");
        assert_eq!(folders(Path::new("/c"), &origin), [Path::new("/c/r.io"), Path::new("/c/r.io:443")]);
        let origin = Origin::new(true, "r.io:5000").expect("host");
        assert_eq!(folders(Path::new("/c"), &origin), [Path::new("/c/r.io:5000")]);
    }

    #[test]
    fn a_broken_client_certificate_is_told_and_does_not_panic() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let folder = dir.path().join("r.io");
        std::fs::create_dir(&folder).expect("folder");
        let pem = |label: &str, der: &[u8]| {
            let text = data_encoding::BASE64.encode(der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        std::fs::write(folder.join("a.cert"), pem("CERTIFICATE", b"nothing")).expect("written");
        std::fs::write(folder.join("a.key"), pem("PRIVATE KEY", b"nothing")).expect("written");
        let mut options = Options::new(&Limits::default(), Environment::default());
        options.certs_folders = vec![dir.path().to_owned()];
        let trust = Trust::load(&options).expect("roots");
        let origin = Origin::new(true, "r.io").expect("host");
        let failure = trust.of(&origin, &options).expect_err("unusable").to_string();
        assert!(failure.starts_with("r.io: ") && failure.contains("a.cert"), "{failure}");
        let origin = Origin::new(true, "s.io").expect("host");
        assert!(trust.of(&origin, &options).is_ok());
    }
}

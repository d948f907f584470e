//! Certificates and keys in files of PEM: those that a registry is shown or trusted by, and those that clients are shown.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The most bytes of one file of certificates: a bundle of all authorities has a quarter of a megabyte.
const MOST: u64 = 8 << 20;

/// A file, if it is short.
fn read(file: &Path) -> Result<Vec<u8>, String> {
    let shown = file.display();
    let mut bytes = Vec::new();
    let open = File::open(file).map_err(|error| format!("cannot open {shown}: {error}"))?;
    let end = open.take(MOST + 1).read_to_end(&mut bytes);
    end.map_err(|error| format!("cannot read {shown}: {error}"))?;
    if bytes.len() as u64 > MOST {
        return Err(format!("{shown} is longer than {MOST} bytes"));
    }
    Ok(bytes)
}

/// The certificates in a PEM file; at least one.
///
/// # Errors
///
/// The file cannot be read, or holds none.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&read(file)?).filter_map(Result::ok).collect();
    if found.is_empty() {
        return Err(format!("{} holds no certificate in PEM", file.display()));
    }
    Ok(found)
}

/// A certificate to be shown, with its key; tried here, so that it is told which files do not fit.
///
/// # Errors
///
/// A file cannot be read, or holds none of it; they do not fit.
pub fn certificate_and_key(
    file: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let (chain, key_bytes) = (certificates(file)?, read(key)?);
    let unusable = |why: String| format!("{} and {} cannot be used: {why}", file.display(), key.display());
    let der =
        PrivateKeyDer::from_pem_slice(&key_bytes).map_err(|_| unusable("there is no key in PEM".into()))?;
    let provider = rustls::crypto::ring::default_provider();
    rustls::sign::CertifiedKey::from_der(chain.clone(), der.clone_key(), &provider)
        .map_err(|error| unusable(error.to_string()))?;
    Ok((chain, der))
}

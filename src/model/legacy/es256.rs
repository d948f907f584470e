//! ES256, the one algorithm of signatures in schema 1 that anybody wrote; the only user of `p256`. Without the feature
//! `schema1` there is none, and signatures are said to be of a kind that restow has no code for.

/// Whether this restow was built with it.
pub(super) const KNOWN: bool = cfg!(feature = "schema1");

/// A public key.
#[cfg(feature = "schema1")]
pub(super) struct Key(p256::ecdsa::VerifyingKey);

#[cfg(feature = "schema1")]
impl Key {
    /// The key of a point; `None` if the point is not on the curve.
    pub fn of(x: &[u8; 32], y: &[u8; 32]) -> Option<Key> {
        let point = [&[4], &x[..], &y[..]].concat();
        p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok().map(Key)
    }

    /// Whether a signature of these bytes holds.
    pub fn holds(&self, signed: &[u8], signature: &[u8; 64]) -> bool {
        use p256::ecdsa::signature::Verifier;
        let signature = p256::ecdsa::Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify(signed, &signature).is_ok())
    }
}

/// A public key, of which there is none.
#[cfg(not(feature = "schema1"))]
pub(super) enum Key {}

#[cfg(not(feature = "schema1"))]
impl Key {
    /// Never a key.
    pub fn of(_: &[u8; 32], _: &[u8; 32]) -> Option<Key> {
        None
    }

    /// Never asked.
    pub fn holds(&self, _: &[u8], _: &[u8; 64]) -> bool {
        match *self {}
    }
}

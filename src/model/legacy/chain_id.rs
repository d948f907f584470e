//! Chain IDs: names for a stack of layers rather than for one (formats.md B.6).

use crate::digest::Digest;

/// The chain ID of every prefix of `diff_ids` (base first); the last one names the whole stack.
///
/// Combinations are always hashed with SHA-256, whatever algorithm the diff IDs use, as all Go tools do.
pub fn chain_id(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = match chain.last() {
            None => diff_id.clone(),
            Some(below) => Digest::sha256(format!("{below} {diff_id}").as_bytes()),
        };
        chain.push(next);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::super::testing::{D0, D1, sha256};
    use super::*;

    #[test]
    fn vectors() {
        let ids = [
            sha256(D0),
            sha256(D1),
            sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ];
        let expected = [
            ids[0].clone(),
            sha256("8ed5d20d8ff95e90a64a163a79dc3fac0b49680c21680295726dc3a511ff5811"),
            sha256("9c291c411346f297d4e83273746ec0643e9d1ea5c9ca6e9b2de3926f51bc4fbf"),
        ];
        assert_eq!(chain_id(&ids), expected);
        assert_eq!(chain_id(&[]), []);
    }
}

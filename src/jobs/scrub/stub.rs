//! What stands for the bytes of a blob that is no document and of which none are kept: it begins as they do, and is a tar if
//! they are one. So much is looked at of a blob that is not what a document says it is.

use crate::layer::Kept;
use crate::media::Codec;

/// A block of zeros, which is how an empty tar begins.
const BLOCK: &[u8] = &[0; 512];
/// The same, compressed.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xffc`\x18\x05#\x19\x00\x00xu\xaa\xb2\x00\x02\x00\x00";
const ZSTD: &[u8] = b"(\xb5/\xfd\x00XM\x00\x00\x10\x00\x00\x01\x00\xfb*\xc0\x02";
const BZIP2: &[u8] =
    b"BZh91AY&SY\x1e\xaeUM\x00\x00\x01\xc0\x00\xc0\x00\x00\x08 \x000\x80I\xea\x06\xae.\xe4\x8ap\xa1 =\\\xaa\x9a";
const XZ: &[u8] = b"\xfd7zXZ\x00\x00\x00\xff\x12\xd9A\x02\x00!\x01\x0c\x00\x00\x00\x8f\x98A\x9c\xe0\x01\xff\x00\x08]\x00\x00o\xfd\xfe\xb3_\xa8\x00\x00\x00\x01\x1c\x80\x04\x00\x00\x00\xf81\xc5\x89\xa8\x00\n\xfc\x02\x00\x00\x00\x00\x00YZ";

/// Whether what was read as a layer is a tar: it has an entry, or ends as an empty one does.
pub fn is_tar(layer: Option<&Kept>) -> bool {
    layer.is_some_and(|kept| kept.entries > 0 || kept.odd.is_empty())
}

/// What stands for the bytes.
pub fn stub(codec: Codec, is_tar: bool) -> &'static [u8] {
    let whole = match codec {
        Codec::Plain => BLOCK,
        Codec::Gzip => GZIP,
        Codec::Zstd => ZSTD,
        Codec::Bzip2 => BZIP2,
        Codec::Xz => XZ,
    };
    match (is_tar, codec) {
        (true, _) => whole,
        // So many tell one codec from another.
        (false, Codec::Bzip2) => &whole[..3],
        (false, _) => &whole[..1],
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::codec;
    use crate::limits::Limits;

    #[test]
    fn what_stands_for_a_tar_is_one_whatever_its_compression() {
        for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz] {
            let bytes = stub(codec, true);
            assert_eq!(Codec::sniff(bytes), codec);
            let (mut plain, _) =
                codec::reader(codec, bytes, codec::caps(&Limits::default())).expect("a reader");
            let mut block = Vec::new();
            plain.read_to_end(&mut block).expect("read");
            assert_eq!(block, BLOCK, "{codec:?}");
            assert!(bytes.starts_with(stub(codec, false)) && stub(codec, false).len() < 4);
        }
    }
}

//! Archives that are compressed as a whole, as their names say: `app.tar.gz`, `app.tgz`, `app.tar.zst`.
//!
//! A tar is written and judged as it is, and compressed when all of it is there: it needs room for both. The bytes depend on
//! nothing but the tar. Layers are none of its business.

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Read, Seek, Write};
use std::path::Path;

use crate::codec::{Compression, Encoder};
use crate::error::{Context, Error, Result};
use crate::staging::{Owned, parent_of};

/// Ends of names, and what they say.
const ENDS: &[(&str, Compression)] = &[
    (".gz", Compression::Gzip(Compression::GZIP_DEFAULT)),
    (".tgz", Compression::Gzip(Compression::GZIP_DEFAULT)),
    (".zst", Compression::Zstd(Compression::ZSTD_DEFAULT)),
    (".tzst", Compression::Zstd(Compression::ZSTD_DEFAULT)),
];

/// Ends of names that promise what is read here and not written.
const READ_ONLY: &[&str] = &[".xz", ".txz", ".bz2", ".tbz", ".tbz2"];

/// Bytes of the tar in one zstd frame: what is behind them can be read without decompressing what is before. gzip members are
/// shorter anyway. Of a distribution (117 MB) it costs 1.4 percent; 8 MiB would cost 2.6, 32 MiB 0.8.
const FRAME: u64 = 16 << 20;

/// Bytes that are moved at once.
const BUFFER: usize = 1 << 20;

/// How an archive of this name is to be compressed.
///
/// # Errors
///
/// The name promises a codec that is not written.
pub(in crate::form) fn by_name(path: &Path) -> Result<Compression> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if let Some(end) = READ_ONLY.iter().find(|end| name.ends_with(*end)) {
        let message = format!("{} ends in {end}, and restow writes no such archive", path.display());
        return Err(Error::refused_help(message, "give it a name that ends in .tar, .tar.gz or .tar.zst"));
    }
    let found = ENDS.iter().find(|(end, _)| name.ends_with(end));
    Ok(found.map_or(Compression::None, |(_, compression)| *compression))
}

/// A finished tar, compressed into a new file beside `destination`.
pub(in crate::form) fn pack(mut tar: File, how: Compression, destination: &Path) -> Result<(File, Owned)> {
    let (file, owned) = Owned::file(parent_of(destination))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let packed = || {
        tar.rewind()?;
        let mut tar = io::BufReader::with_capacity(BUFFER, tar);
        let mut out = BufWriter::with_capacity(BUFFER, file);
        loop {
            let mut encoder = Encoder::new(how, threads, out)?;
            let copied = io::copy(&mut Read::take(&mut tar, FRAME), &mut encoder)?;
            out = encoder.finish()?;
            if copied < FRAME || tar.fill_buf()?.is_empty() {
                break;
            }
        }
        out.flush()?;
        out.into_inner().map_err(io::IntoInnerError::into_error)
    };
    Ok((packed().at("cannot write", destination)?, owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;

    #[test]
    fn names_say_how() {
        for (name, codec) in [
            ("app.tar", Codec::Plain),
            ("app", Codec::Plain),
            ("app.tar.gz", Codec::Gzip),
            ("APP.TGZ", Codec::Gzip),
            ("app.gz/app.tar", Codec::Plain),
            ("app.tar.zst", Codec::Zstd),
            ("app.tzst", Codec::Zstd),
        ] {
            assert_eq!(by_name(Path::new(name)).expect("written").codec(), codec, "{name}");
        }
        assert!(by_name(Path::new("a/app.tar.xz")).is_err() && by_name(Path::new("app.tbz2")).is_err());
    }
}

//! A file on its way to where it was asked for, in a folder or in a bucket: it is there when all of it is, or it never is.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Options, registry};
#[cfg(feature = "cloud")]
use crate::error::Error;
use crate::error::{Context as _, Result};
use crate::store::Address;

/// A file that is written, and kept at the end.
pub struct Outgoing {
    out: BufWriter<NamedTempFile>,
    to: To,
}

/// Where it goes.
enum To {
    Folder(PathBuf),
    #[cfg(feature = "cloud")]
    Bucket(crate::store::Bucket),
}

impl Outgoing {
    /// Begins one. It stands here until it is kept: beside its place, or in the folder for temporary files.
    ///
    /// # Errors
    ///
    /// Nothing can be written here, or the bucket cannot be asked.
    pub fn to(file: &Path, registry: &registry::Options, options: &Options<'_>) -> Result<Outgoing> {
        match Address::parse(&file.to_string_lossy())? {
            Some(address) => Outgoing::to_bucket(&address, registry, options),
            None => {
                let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
                let out = staged(parent.unwrap_or(Path::new(".")))?;
                Ok(Outgoing { out, to: To::Folder(file.to_owned()) })
            }
        }
    }

    #[cfg(feature = "cloud")]
    fn to_bucket(address: &Address, registry: &registry::Options, options: &Options<'_>) -> Result<Outgoing> {
        if address.prefix.is_empty() {
            let message = format!("{address} names no object");
            return Err(Error::refused_help(message, format!("write {address}/NAME")));
        }
        let bucket = crate::store::Bucket::open(address, &registry.access(&options.limits))?;
        // A bucket that is not there is told now, not after hours.
        bucket.get("", None)?;
        let folder = options.tmpdir.clone().unwrap_or_else(std::env::temp_dir);
        Ok(Outgoing { out: staged(&folder)?, to: To::Bucket(bucket) })
    }

    /// Without the feature no bucket is opened.
    #[cfg(not(feature = "cloud"))]
    fn to_bucket(address: &Address, _: &registry::Options, _: &Options<'_>) -> Result<Outgoing> {
        Err(crate::store::absent(address))
    }

    /// Puts it where it was asked for, in the place of what is there.
    ///
    /// # Errors
    ///
    /// It cannot be written there. What was sent of it is not kept.
    pub fn keep(self) -> Result<()> {
        match self.to {
            To::Folder(file) => {
                let kept = whole(self.out, &file)?.persist(&file).map_err(|error| error.error);
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
                kept.and_then(|file| file.set_permissions(mode)).at("cannot write", &file)
            }
            #[cfg(feature = "cloud")]
            To::Bucket(bucket) => {
                let shown = bucket.address().to_string();
                let file = whole(self.out, Path::new(&shown))?;
                match bucket.put_file("", file.path(), &crate::store::If::Any)? {
                    Some(_) => Ok(()),
                    // Some stores answer so where another request writes the same object.
                    None => {
                        let message = format!("{shown} is written by somebody else at the same time");
                        Err(Error::refused_help(message, "run it again"))
                    }
                }
            }
        }
    }
}

fn staged(folder: &Path) -> Result<BufWriter<NamedTempFile>> {
    NamedTempFile::new_in(folder).at("cannot write into", folder).map(BufWriter::new)
}

fn whole(out: BufWriter<NamedTempFile>, file: &Path) -> Result<NamedTempFile> {
    out.into_inner().map_err(io::IntoInnerError::into_error).at("cannot write", file)
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

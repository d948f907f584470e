//! The cases of `corpus/`, as `corpus/README.md` describes them: what is said of each, and what makes its archive.

pub mod bad;
pub mod builder;
pub mod case;
pub mod edit;
pub mod index;
pub mod members;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Every file of this name below a folder, in order.
fn files_named(below: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![below.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.file_name().is_some_and(|n| n == name) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Does a job with each of these cases, on as many threads as there are cores; what came of them, in no order.
pub fn each<C: Sync, T: Send>(cases: &[C], job: impl Fn(&C) -> T + Sync) -> Vec<(&C, T)> {
    let (next, found) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |cores| cores.get()) {
            scope.spawn(|| {
                loop {
                    let case = next.lock().expect("a lock").next();
                    let Some(case) = case else { return };
                    let came = job(case);
                    found.lock().expect("a lock").push((case, came));
                }
            });
        }
    });
    found.into_inner().expect("a lock")
}

/// The plain bytes of what gzip, zstd, xz or bzip2 compressed, or the bytes themselves.
pub fn decompressed(stored: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    match stored {
        [0x1f, 0x8b, ..] => flate2::read::MultiGzDecoder::new(stored).read_to_end(&mut plain)?,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            zstd::stream::read::Decoder::new(stored)?.read_to_end(&mut plain)?
        }
        [0xfd, b'7', b'z', ..] => liblzma::read::XzDecoder::new(stored).read_to_end(&mut plain)?,
        [b'B', b'Z', b'h', ..] => bzip2::read::MultiBzDecoder::new(stored).read_to_end(&mut plain)?,
        _ => {
            plain.extend_from_slice(stored);
            plain.len()
        }
    };
    Ok(plain)
}

//! Headers of the tars that restow writes: the same input gives the same bytes, with no owner and no time.
//!
//! Plain ustar, which every loader reads; a PAX header comes before it only for what does not fit.

use tar::{EntryType, Header};

use super::{BLOCK, scan};

/// The two blocks of zeros that end a tar.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The first size that does not fit into a ustar header: 8 GiB.
const SIZE_LIMIT: u64 = 1 << 33;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind<'a> {
    /// A regular file, whose data and [`padding`] the caller writes next.
    File {
        /// Bytes of data.
        size: u64,
    },
    /// A directory; its name is written with a `/` at the end.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points.
        target: &'a [u8],
    },
}

/// The complete header of a member, a whole number of blocks. The name must be clean and without NUL.
pub fn header(name: &[u8], kind: WriteKind<'_>, mode: u32) -> Vec<u8> {
    let mut name = name.to_vec();
    let mut records = Vec::new();
    let mut header = Header::new_ustar();
    let (entry_type, size, target) = match kind {
        WriteKind::File { size } => (EntryType::Regular, size, &b""[..]),
        WriteKind::Directory => (EntryType::Directory, 0, &b""[..]),
        WriteKind::Symlink { target } => (EntryType::Symlink, 0, target),
    };
    if kind == WriteKind::Directory && !name.ends_with(b"/") {
        name.push(b'/');
    }
    let old = header.as_old_mut();
    match split(&name) {
        Some((prefix, rest)) => {
            put(&mut old.name, rest);
            if let Some(ustar) = header.as_ustar_mut() {
                put(&mut ustar.prefix, prefix);
            }
        }
        None => {
            record(&mut records, "path", &name);
            put(&mut old.name, &name);
        }
    }
    let old = header.as_old_mut();
    if target.len() > old.linkname.len() {
        record(&mut records, "linkpath", target);
    }
    put(&mut old.linkname, target);
    if size >= SIZE_LIMIT {
        record(&mut records, "size", size.to_string().as_bytes());
    }
    // As Go does: no size is better than a part of one.
    let size = if size < SIZE_LIMIT { size } else { 0 };
    let header = finish(header, entry_type, size, mode);
    if records.is_empty() {
        return header;
    }
    let mut pax = Header::new_ustar();
    put(&mut pax.as_old_mut().name, b"PaxHeaders/member");
    let length = records.len() as u64;
    let mut bytes = finish(pax, EntryType::XHeader, length, 0o644);
    bytes.extend_from_slice(&records);
    bytes.resize(bytes.len() + padding(length) as usize, 0);
    bytes.extend_from_slice(&header);
    bytes
}

/// Zeros to write after data of this size, to fill a whole block.
pub fn padding(size: u64) -> u64 {
    scan::padding(size)
}

fn finish(mut header: Header, entry_type: EntryType, size: u64, mode: u32) -> Vec<u8> {
    header.set_entry_type(entry_type);
    header.set_mode(mode & 0o7777);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.set_device_major(0);
        ustar.set_device_minor(0);
    }
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Puts as much of a text into a field as fits.
fn put(field: &mut [u8], text: &[u8]) {
    let len = text.len().min(field.len());
    field[..len].copy_from_slice(&text[..len]);
}

/// Splits a name into prefix and name of at most 155 and 100 bytes.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= 100 {
        return Some((b"", name));
    }
    // The name keeps as much as it can; the slash between the two is not stored.
    let from = name.len() - 101;
    let slash = from + name[from..name.len() - 1].iter().position(|&b| b == b'/')?;
    (slash > 0 && slash <= 155).then(|| (&name[..slash], &name[slash + 1..]))
}

/// Appends a PAX record, whose length counts itself.
fn record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let body = key.len() + value.len() + 3;
    let mut length = body + 1;
    while body + length.to_string().len() > length {
        length += 1;
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[cfg(test)]
#[expect(clippy::print_stderr, reason = "says what was skipped")]
mod tests {
    use std::io::Read;

    use super::*;

    fn one(name: &[u8], kind: WriteKind<'_>) -> Vec<u8> {
        let mut bytes = header(name, kind, 0o644);
        if let WriteKind::File { size } = kind {
            bytes.resize(bytes.len() + (size + padding(size)) as usize, 0);
        }
        bytes.extend_from_slice(&END);
        bytes
    }

    #[test]
    fn plain_where_it_fits() {
        let long = [&[b'd'; 155][..], b"/", &[b'n'; 100]].concat();
        for name in [&b"manifest.json"[..], &[b'a'; 100], &long] {
            let bytes = header(name, WriteKind::File { size: 3 }, 0o644);
            assert_eq!(bytes.len(), BLOCK);
            let header = Header::from_byte_slice(&bytes);
            assert_eq!(header.path_bytes(), name);
            assert_eq!((header.size().ok(), header.mode().ok()), (Some(3), Some(0o644)));
            assert_eq!((header.uid().ok(), header.mtime().ok()), (Some(0), Some(0)));
        }
    }

    #[test]
    fn names_read_back() {
        let deep = "0123456789/".repeat(40);
        let flat = "x".repeat(300);
        for name in ["a", &deep[..100], &deep[..101], &deep[..256], &deep[..300], &flat[..101], &flat] {
            let bytes = one(name.as_bytes(), WriteKind::File { size: 5 });
            let mut archive = tar::Archive::new(&bytes[..]);
            let entries: Vec<_> = archive
                .entries()
                .expect("entries")
                .map(|e| e.expect("entry").path_bytes().into_owned())
                .collect();
            assert_eq!(entries, [name.as_bytes()], "{}", name.len());
        }
    }

    #[test]
    fn directories_and_links_read_back() {
        let target = "../".repeat(50);
        for (kind, path, link) in [
            (WriteKind::Directory, "d/", None),
            (WriteKind::Symlink { target: b"../a/layer.tar" }, "d", Some("../a/layer.tar")),
            (WriteKind::Symlink { target: target.as_bytes() }, "d", Some(&target[..])),
        ] {
            let bytes = one(b"d", kind);
            let mut archive = tar::Archive::new(&bytes[..]);
            let entry = archive.entries().expect("entries").next().expect("one").expect("sound");
            assert_eq!(&*entry.path_bytes(), path.as_bytes());
            assert_eq!(entry.link_name_bytes().as_deref(), link.map(str::as_bytes));
        }
    }

    #[test]
    fn large_sizes_go_to_pax() {
        assert_eq!(header(b"a", WriteKind::File { size: SIZE_LIMIT - 1 }, 0o644).len(), BLOCK);
        let bytes = header(b"a", WriteKind::File { size: SIZE_LIMIT }, 0o644);
        assert_eq!(bytes.len(), 3 * BLOCK);
        assert!(bytes[BLOCK..].starts_with(b"19 size=8589934592\n"));
    }

    #[test]
    fn record_lengths_count_themselves() {
        // 97 + 3 is where the length itself grows by a digit.
        for len in 0..1200 {
            let mut records = Vec::new();
            record(&mut records, "k", &vec![b'v'; len]);
            let space = records.iter().position(|&b| b == b' ').expect("a space");
            assert_eq!(
                std::str::from_utf8(&records[..space]).ok().and_then(|n| n.parse().ok()),
                Some(records.len())
            );
        }
    }

    #[test]
    fn gnu_tar_lists_it() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("a.tar");
        let flat = "x".repeat(200);
        let mut bytes = header(b"blobs", WriteKind::Directory, 0o755);
        bytes.extend(header(flat.as_bytes(), WriteKind::File { size: 0 }, 0o644));
        bytes.extend(header(b"l", WriteKind::Symlink { target: flat.as_bytes() }, 0o777));
        bytes.extend(END);
        std::fs::write(&path, bytes).expect("written");
        let Ok(mut child) = std::process::Command::new("tar")
            .arg("tvf")
            .arg(&path)
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
        else {
            eprintln!("skipped: there is no tar command");
            return;
        };
        let mut out = String::new();
        let mut err = String::new();
        child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
        child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
        assert!(child.wait().expect("ended").success(), "{err}");
        assert_eq!(err, "");
        let lines: Vec<_> = out.lines().map(|l| l.split_whitespace().collect::<Vec<_>>()).collect();
        assert_eq!(lines[0][0], "drwxr-xr-x");
        assert_eq!(lines[0].last(), Some(&"blobs/"));
        assert_eq!(lines[1].last(), Some(&&flat[..]));
        assert_eq!(lines[2][lines[2].len() - 3..], ["l", "->", &flat[..]]);
    }
}

//! An archive as a list of members that can be changed, and the tar or folder it is written as.
//!
//! The tar writer is one of our own, because broken archives need headers that no library writes.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

/// A member of an archive, or an entry of a layer. What is left out is as `restow` itself writes it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name as it stands in the header; `\xNN` is a byte.
    #[serde(default)]
    pub name: String,
    /// `file`, `dir`, `symlink`, `hardlink`, `char`, `block`, `fifo`, `nul`, or the type flag itself; `zeros` is no entry,
    /// but `size` zeros.
    #[serde(default = "file", rename = "type")]
    pub kind: String,
    /// What a link points at.
    #[serde(default)]
    pub link: String,
    /// Content as text.
    pub text: Option<String>,
    /// Content as hex.
    pub hex: Option<String>,
    /// The content's bytes, once read.
    #[serde(skip)]
    pub data: Vec<u8>,
    /// Length in the header, if it is not that of the content.
    pub size: Option<u64>,
    /// Permissions.
    pub mode: Option<u32>,
    #[serde(default)]
    pub uid: u64,
    #[serde(default)]
    pub gid: u64,
    #[serde(default)]
    pub mtime: u64,
    #[serde(default)]
    pub uname: String,
    #[serde(default)]
    pub gname: String,
    /// Major and minor number of a device.
    #[serde(default)]
    pub device: [u32; 2],
    /// What stands in place of POSIX's magic and version.
    pub magic: Option<String>,
    /// The first part of its name, in a field of its own.
    #[serde(default)]
    pub prefix: String,
    /// PAX records before it, as `key=value`.
    #[serde(default)]
    pub pax: Vec<String>,
}

fn file() -> String {
    "file".into()
}

impl Entry {
    /// A regular file.
    pub fn file(name: &str, data: Vec<u8>) -> Entry {
        Entry { name: name.into(), kind: file(), data, ..Entry::default() }
    }

    /// Takes the content from `text` or `hex`.
    pub fn read(mut self) -> Result<Entry, String> {
        if let Some(text) = &self.text {
            self.data = text.clone().into_bytes();
        }
        if let Some(hex) = &self.hex {
            self.data = from_hex(hex)?;
        }
        Ok(self)
    }

    /// Headers and content as they stand in a tar.
    pub fn write(&self, tar: &mut Vec<u8>) {
        if self.kind == "zeros" {
            return tar.resize(tar.len() + self.size.unwrap_or(512) as usize, 0);
        }
        let name = unescaped(&self.name);
        let mut records = self.pax.clone();
        if name.len() > 100 {
            records.push(format!("path={}", self.name));
        }
        if !records.is_empty() {
            let text: String = records.iter().map(|record| pax_record(record)).collect();
            let header =
                Entry { name: "pax".into(), kind: "x".into(), data: text.into(), ..Entry::default() };
            header.write(tar);
        }
        let mut header = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &name[..name.len().min(100)]);
        let mode = self.mode.unwrap_or(if self.flag() == b'5' { 0o755 } else { 0o644 });
        let length = self.size.unwrap_or(self.data.len() as u64);
        put(100, format!("{mode:07o}\0").as_bytes());
        put(108, format!("{:07o}\0", self.uid).as_bytes());
        put(116, format!("{:07o}\0", self.gid).as_bytes());
        put(124, format!("{length:011o}\0").as_bytes());
        put(136, format!("{:011o}\0", self.mtime).as_bytes());
        put(156, &[self.flag()]);
        put(157, &unescaped(&self.link));
        put(257, self.magic.as_deref().unwrap_or("ustar\x0000").as_bytes());
        put(265, self.uname.as_bytes());
        put(297, self.gname.as_bytes());
        put(329, format!("{:07o}\0{:07o}\0", self.device[0], self.device[1]).as_bytes());
        put(345, self.prefix.as_bytes());
        fix_checksum(&mut header);
        tar.extend(header);
        tar.extend(&self.data);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.flag() == b'0'
    }

    fn flag(&self) -> u8 {
        match self.kind.as_str() {
            "file" => b'0',
            "hardlink" => b'1',
            "symlink" => b'2',
            "char" => b'3',
            "block" => b'4',
            "dir" => b'5',
            "fifo" => b'6',
            "nul" => 0,
            flag => flag.as_bytes().first().copied().unwrap_or(0),
        }
    }
}

/// Sets the checksum of a header.
pub fn fix_checksum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// One PAX record with its own length before it.
fn pax_record(record: &str) -> String {
    let length = |digits: usize| digits + 1 + record.len() + 1;
    let mut digits = 1;
    while length(digits).to_string().len() > digits {
        digits += 1;
    }
    format!("{} {record}\n", length(digits))
}

/// A tar of these entries.
pub fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in entries {
        entry.write(&mut tar);
    }
    tar.extend([0; 1024]);
    tar
}

/// A compressed stream with a tar before it that a decompressor skips: in a skippable frame of zstd, or in the extra field
/// of a gzip header. The name of its first entry gives way to what makes it so.
pub fn hidden(tar: &[u8], stream: &[u8]) -> Result<Vec<u8>, String> {
    let mut tar = tar.to_vec();
    let length = tar.len();
    let rest = match stream {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            tar[..4].copy_from_slice(&[0x50, 0x2a, 0x4d, 0x18]);
            tar[4..8].copy_from_slice(&(length as u32 - 8).to_le_bytes());
            stream
        }
        [0x1f, 0x8b, 8, 0, ..] => {
            tar[..10].copy_from_slice(&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff]);
            let length = u16::try_from(length - 12).map_err(|_| "too long for an extra field")?;
            tar[10..12].copy_from_slice(&length.to_le_bytes());
            &stream[10..]
        }
        _ => return Err("neither zstd nor gzip without a name".into()),
    };
    fix_checksum(&mut tar[..512]);
    Ok([&tar, rest].concat())
}

/// Bytes of a name in which `\xNN` stands for a byte.
fn unescaped(name: &str) -> Vec<u8> {
    let mut parts = name.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => bytes.extend(format!("\\x{part}").as_bytes()),
        }
    }
    bytes
}

/// Hexadecimal digits, with spaces where they help.
pub fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    data_encoding::HEXLOWER.decode(&digits).map_err(|error| format!("{text}: {error}"))
}

/// Reads an archive: a tar, a folder in order of its names, or a document as `document.json`.
pub fn read(path: &Path) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    if path.is_dir() {
        let mut files = BTreeMap::new();
        for name in crate::common::tree_digest::files(path)?.into_keys() {
            files.insert(name.clone(), std::fs::read(path.join(name))?);
        }
        entries.extend(files.into_iter().map(|(name, data)| Entry::file(&name, data)));
        return Ok(entries);
    }
    if path.extension().is_some_and(|extension| extension == "json") {
        return Ok(vec![Entry::file("document.json", std::fs::read(path)?)]);
    }
    let mut tar = tar::Archive::new(std::fs::File::open(path)?);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let header = entry.header().clone();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut data = Vec::new();
        let name = text(&entry.path_bytes());
        let link = entry.link_name_bytes().map(|link| text(&link)).unwrap_or_default();
        entry.read_to_end(&mut data)?;
        let kind = match header.entry_type() {
            tar::EntryType::Regular => "file".to_owned(),
            other => char::from(other.as_byte()).to_string(),
        };
        entries.push(Entry {
            name,
            link,
            kind,
            data,
            mode: header.mode().ok(),
            mtime: header.mtime()?,
            ..Entry::default()
        });
    }
    Ok(entries)
}

//! Conversions that are killed (SIGKILL) at random moments: what is under the destination's name is what was there before,
//! or the whole of what was to come, and the same command then succeeds and leaves nothing else behind.
//!
//! `RESTOW_KILLS=N` kills N conversions to each destination instead of 2.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::Test;
use crate::common::tree_digest::sha256;
use crate::common::{Restow, layer_of, noise};

/// Name, place, options, and whether something is there already.
pub type DestinationCase = (&'static str, &'static str, &'static [&'static str], bool);

/// Bytes in each layer of what is converted: enough that a kill at random meets it on its way.
const LARGE: usize = 3 << 20;

/// A destination: its name, the place (`OUT` is the path), options, and whether something is there already.
pub const DESTINATIONS: &[DestinationCase] = &[
    ("oci, new", "oci:OUT", &[], false),
    ("oci, compressed", "oci:OUT", &["--compress", "gzip"], false),
    ("oci, into a layout", "oci:OUT", &[], true),
    ("oci-archive, new", "oci-archive:OUT", &[], false),
    ("oci-archive, over another", "oci-archive:OUT", &["--force"], true),
    ("docker-archive, new", "docker-archive:OUT", &[], false),
    ("docker-archive, legacy", "docker-archive:OUT", &["--docker-format", "legacy"], false),
    ("dir, new", "dir:OUT", &[], false),
    ("dir, over another", "dir:OUT", &["--force"], true),
    ("registry-storage, new", "registry-storage:OUT", &[], false),
    ("registry-storage, into storage", "registry-storage:OUT", &[], true),
];

pub fn tests() -> Vec<Test> {
    let kills = std::env::var("RESTOW_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let tests = DESTINATIONS.iter().enumerate().map(|(seed, destination)| {
        Test::new(format!("{}: {kills} kills", destination.0), move || {
            let dir = tempfile::tempdir()?;
            Bench::new(dir.path(), destination, seed as u64, LARGE)?.kill(kills)
        })
    });
    tests.collect()
}

pub struct Bench {
    pub restow: Restow,
    dir: PathBuf,
    source: String,
    /// A place with what is at the destination before, if something is.
    before: Option<String>,
    place: String,
    options: &'static [&'static str],
    random: u64,
    /// Bytes in each layer of the source.
    size: usize,
}

impl Bench {
    pub fn new(
        dir: &Path,
        (_, place, options, existing): &DestinationCase,
        seed: u64,
        size: usize,
    ) -> Result<Bench, Failed> {
        let restow = Restow::new(dir);
        let source = dir.join("source.tar");
        fs::write(&source, archive("lab/app:1", 7, size)?)?;
        let mut bench = Bench {
            restow,
            dir: dir.to_owned(),
            source: source.display().to_string(),
            before: None,
            place: place.replace("OUT", &dir.join("work/out").display().to_string()),
            options,
            random: 0x9e37_79b9_7f4a_7c15 ^ seed,
            size,
        };
        if *existing {
            let other = dir.join("other.tar");
            fs::write(&other, archive("lab/other:1", 99, SMALL)?)?;
            bench.before = Some(other.display().to_string());
        }
        Ok(bench)
    }

    /// The folder of the destination as it is before the conversion.
    pub fn prepare(&self) -> Result<(), Failed> {
        let work = self.dir.join("work");
        if work.exists() {
            fs::remove_dir_all(&work)?;
        }
        fs::create_dir(&work)?;
        if let Some(before) = &self.before {
            self.restow
                .run(&["convert".into(), "-q".into(), before.clone(), self.place.clone()])?
                .expect(0)?;
        }
        Ok(())
    }

    pub fn command(&self) -> Vec<String> {
        let words = ["convert", "-q"].iter().chain(self.options).map(|word| (*word).to_owned());
        words.chain([self.source.clone(), self.place.clone()]).collect()
    }

    fn kill(mut self, kills: usize) -> Result<(), Failed> {
        self.prepare()?;
        let began = Instant::now();
        self.restow.run(&self.command())?.expect(0)?;
        let usual = began.elapsed();
        let (mut old, mut new) = (0, 0);
        for kill in 0..kills {
            self.prepare()?;
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let after = usual.mul_f64((self.random % 1100) as f64 / 1000.0);
            let mut child = self.restow.command().args(self.command()).stderr(Stdio::null()).spawn()?;
            std::thread::sleep(after.min(Duration::from_secs(10)));
            child.kill()?;
            child.wait()?;
            match self.survived(&format!("kill {kill} after {after:?} of {usual:?}"))? {
                true => new += 1,
                false => old += 1,
            }
        }
        if old + new != kills {
            return Err(format!("{old} and {new} of {kills}").into());
        }
        Ok(())
    }

    /// After a kill: whether the new image is there; what is there must be whole, and the same command then does what it
    /// would have done.
    pub fn survived(&self, what: &str) -> Result<bool, Failed> {
        let new = self.whole(what)?;
        self.again(what)?;
        if self.nothing_else(what).is_err() {
            // The kernel may let go of a dead process's lock a moment later; the next run finds it free.
            self.again(what)?;
            self.nothing_else(what)?;
        }
        Ok(new)
    }

    /// Whether the new image is there whole; if not, all must be as before.
    pub fn whole(&self, what: &str) -> Result<bool, Failed> {
        if !self.dir.join("work/out").exists() {
            return match &self.before {
                None => Ok(false),
                Some(_) => Err(format!("{what}: what was there is gone").into()),
            };
        }
        let told = |error: Failed| Failed::from(format!("{what}: {}", error.message().unwrap_or_default()));
        let check = ["check".to_owned(), self.place.clone()];
        self.restow.run(&check)?.expect(0).map_err(told)?;
        let inspect = ["inspect".to_owned(), "--json".to_owned(), self.place.clone()];
        let shown = self.restow.run(&inspect)?.expect(0).map_err(told)?;
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        let (app, other) = (shown.contains(&config(7, self.size).0), shown.contains(&config(99, SMALL).0));
        let merges = self.before.is_some() && !self.options.contains(&"--force");
        match (app, other) {
            (true, _) if other == merges => Ok(true),
            (false, true) if self.before.is_some() => Ok(false),
            _ => Err(format!("{what}: neither what was there nor what was to come:\n{shown}").into()),
        }
    }

    /// Runs the command once more, over what is there now. What was just staged is left alone for a moment.
    pub fn again(&self, what: &str) -> Result<(), Failed> {
        self.age()?;
        let mut again = self.command();
        let out = self.dir.join("work/out");
        let refuses = out.is_file() || (self.place.starts_with("dir:") && out.exists());
        if refuses && !self.options.contains(&"--force") {
            again.insert(1, "--force".into());
        }
        self.restow.run(&again)?.expect(0)?;
        if self.whole(&format!("{what}, then again"))? {
            Ok(())
        } else {
            Err(format!("{what}: the second run did not do it").into())
        }
    }

    /// Makes what a killed run staged look old.
    fn age(&self) -> Result<(), Failed> {
        for entry in fs::read_dir(self.dir.join("work"))? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".restow-") {
                let old = std::time::SystemTime::now() - Duration::from_secs(60);
                fs::File::open(entry.path())?.set_modified(old)?;
            }
        }
        Ok(())
    }

    /// Nothing but the destination is left once a command has succeeded.
    pub fn nothing_else(&self, what: &str) -> Result<(), Failed> {
        let mut pending = vec![self.dir.join("work")];
        while let Some(folder) = pending.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".restow-")) {
                    return Err(format!("{what}: {} is left", path.display()).into());
                }
                if path.is_dir() {
                    pending.push(path);
                }
            }
        }
        Ok(())
    }
}

/// Bytes in each layer of what is there before.
const SMALL: usize = 1000;

/// Digest and text of a config.
fn config(seed: u64, size: usize) -> (String, String) {
    let diff_ids: Vec<String> =
        (0..3).map(|i| format!("\"sha256:{}\"", sha256(&layer(seed * 10 + i, size)))).collect();
    let text = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    (sha256(text.as_bytes()), text)
}

fn layer(seed: u64, len: usize) -> Vec<u8> {
    layer_of("noise", &noise(seed, len))
}

fn append(tar: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, bytes)
}

/// What Docker 1.10 to 24 wrote, less the parts for older ones.
pub fn archive(name: &str, seed: u64, size: usize) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let (id, config) = config(seed, size);
    let mut layers = Vec::new();
    for i in 0..3 {
        let path = format!("{i}/layer.tar");
        append(&mut tar, &path, &layer(seed * 10 + i, size))?;
        layers.push(format!("\"{path}\""));
    }
    append(&mut tar, &format!("{id}.json"), config.as_bytes())?;
    let manifest =
        format!(r#"[{{"Config":"{id}.json","RepoTags":["{name}"],"Layers":[{}]}}]"#, layers.join(","));
    append(&mut tar, "manifest.json", manifest.as_bytes())?;
    tar.into_inner()
}

//! What a file lowered: told beside the findings, so that nothing goes away without a word.

use super::{Finding, Level};

/// The findings of one source that files lowered, and the files.
#[derive(Debug, Clone, Default)]
pub struct Lowered {
    /// The file that levels were read from, as it is told; it need not have lowered anything.
    pub config: Option<String>,
    /// The report whose findings are known.
    pub baseline: Option<String>,
    /// What was lowered, in the order of reports.
    pub findings: Vec<Lower>,
    /// What has ended and lowers nothing any more, a line each.
    pub ended: Vec<String>,
}

/// A finding that a file lowered.
#[derive(Debug, Clone)]
pub struct Lower {
    /// The finding, with the level that it has now; `Allow` if it is not reported.
    pub finding: Finding,
    /// The level that it would have.
    pub from: Level,
    /// What lowered it.
    pub by: By,
}

/// What lowers a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A level in the file.
    Levels,
    /// An exception in the file: where it stands, its reason, and the last day on which it holds.
    Exception {
        /// As it is told: `restow.toml:12`.
        at: String,
        /// Why.
        reason: String,
        /// `2027-01-31`
        expires: String,
    },
    /// It is in the baseline.
    Baseline,
}

impl Lowered {
    /// Nothing was lowered, and no file was read.
    pub const NONE: &'static Lowered =
        &Lowered { config: None, baseline: None, findings: Vec::new(), ended: Vec::new() };

    /// Whether there is anything to tell.
    pub fn is_silent(&self) -> bool {
        self.config.is_none() && self.baseline.is_none()
    }

    /// What lowered how many, in words: `restow.toml lowers 2`.
    pub fn words(&self) -> Vec<String> {
        let of = |baseline: bool| {
            let known = |lower: &&Lower| (lower.by == By::Baseline) == baseline;
            self.findings.iter().filter(known).count()
        };
        let told = |file: &String, count| match count {
            0 => format!("{file} lowers nothing"),
            count => format!("{file} lowers {count}"),
        };
        let config = self.config.iter().map(|file| told(file, of(false)));
        config.chain(self.baseline.iter().map(|file| told(file, of(true)))).collect()
    }
}

impl Lower {
    /// What lowered it and why, in words: `restow.toml:12, until 2027-01-31: base image of the vendor`.
    pub fn why(&self, lowered: &Lowered) -> String {
        match &self.by {
            By::Levels => lowered.config.clone().unwrap_or_default(),
            By::Baseline => lowered.baseline.clone().unwrap_or_default(),
            By::Exception { at, reason, expires } => format!("{at}, until {expires}: {reason}"),
        }
    }
}

//! What a store said of its objects, as long as a run lasts that was told: the rows of a report are too many for the memory.

use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::State;
use crate::digest::Digest;
use crate::error::Result;
use crate::jobs::scrub::key::Key;

/// Under the key of a digest and an ETag: when the sum was computed, in seconds from 1970 as 8 bytes, and its 32 bytes; nothing
/// behind the time, where two rows say two things.
const SUMS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("sums");

/// A sum of one version of a blob: the digest in its name, the ETag, when it was computed, and what it is.
pub type Summed = (Digest, String, u64, [u8; 32]);

/// What is known of one version of a blob: its ETag, when that was computed, and the sum, unless there are two.
pub type Known = (String, u64, Option<[u8; 32]>);

impl State {
    /// Forgets every sum.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn forget_sums(&self) -> Result<()> {
        #[cfg(feature = "cloud")]
        let _whole = self.keep.gate();
        let forget = || -> std::result::Result<(), redb::Error> {
            let write = self.db.begin_write()?;
            write.delete_table(SUMS)?;
            write.commit()?;
            Ok(())
        };
        forget().map_err(|error| self.failed(error))
    }

    /// Adds sums; how many say another thing than one before.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn add_sums(&self, sums: &[Summed]) -> Result<u64> {
        #[cfg(feature = "cloud")]
        let _whole = self.keep.gate();
        let add = || -> std::result::Result<u64, redb::Error> {
            let mut twice = 0;
            let write = self.db.begin_write()?;
            {
                let mut table = write.open_table(SUMS)?;
                for (digest, etag, at, sum) in sums {
                    let key = [Key::of(digest).bytes(), etag.as_bytes()].concat();
                    let known = table.get(&key[..])?.map(|value| value.value().to_vec());
                    let known = known.as_deref().and_then(|value| value.split_first_chunk::<8>());
                    let at = known.map_or(*at, |(known, _)| u64::from_be_bytes(*known).max(*at));
                    let is_same = known.is_none_or(|(_, known)| known == sum);
                    twice += u64::from(!is_same);
                    let value = [&at.to_be_bytes()[..], if is_same { sum } else { &[] }].concat();
                    table.insert(&key[..], &value[..])?;
                }
            }
            write.commit()?;
            Ok(twice)
        };
        add().map_err(|error| self.failed(error))
    }

    /// What is known of every version of a blob.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    pub fn sums(&self, digest: &Digest) -> Result<Vec<Known>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = match read.open_table(SUMS) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            other => other.map_err(|error| self.failed(error))?,
        };
        let from = Key::of(digest);
        let mut found = Vec::new();
        for item in table.range(from.bytes()..).map_err(|error| self.failed(error))? {
            let (key, value) = item.map_err(|error| self.failed(error))?;
            let Some(etag) = key.value().strip_prefix(from.bytes()) else { break };
            let Some((at, sum)) = value.value().split_first_chunk::<8>() else { continue };
            let etag = String::from_utf8_lossy(etag).into_owned();
            found.push((etag, u64::from_be_bytes(*at), sum.try_into().ok()));
        }
        Ok(found)
    }
}

//! Who may read: a file of `htpasswd -B`, as Docker's registry takes it.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use data_encoding::BASE64;

use crate::digest::Digest;
use crate::error::{Context, Error, Result};

/// Hash of nobody's password, so that an unknown name takes as long as a wrong password.
const NOBODY: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// Logins that were found right, so that the slow hash is worked out once. 1,000: more users have more than one machine.
const REMEMBERED: usize = 1_000;

/// Users with the hashes of their passwords.
pub struct Users {
    hashes: HashMap<String, String>,
    right: Mutex<HashSet<Digest>>,
}

impl Users {
    /// Reads a file: `USER:HASH` on each line, by bcrypt.
    ///
    /// # Errors
    /// It cannot be read, holds no user, or hashes by another function.
    pub fn read(path: &Path) -> Result<Users> {
        let text = std::fs::read_to_string(path).at("cannot read", path)?;
        let mut hashes = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once(':') {
                Some((user, hash)) if ["$2y$", "$2a$", "$2b$"].iter().any(|kind| hash.starts_with(kind)) => {
                    hashes.insert(user.to_owned(), hash.to_owned());
                }
                _ => {
                    let message =
                        format!("{}:{}: no user with a password by bcrypt", path.display(), number + 1);
                    return Err(Error::refused_help(message, "add users with `htpasswd -B FILE USER`"));
                }
            }
        }
        if hashes.is_empty() {
            let message = format!("{} holds no user", path.display());
            return Err(Error::refused_help(message, "add one with `htpasswd -B FILE USER`"));
        }
        Ok(Users { hashes, right: Mutex::default() })
    }

    /// The user of an `Authorization`, if name and password are right.
    pub fn user(&self, authorization: Option<&str>) -> Option<String> {
        let (scheme, pair) = authorization?.split_once(' ')?;
        let pair =
            BASE64.decode(pair.trim().as_bytes()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let text = String::from_utf8(pair).ok()?;
        let (user, password) = text.split_once(':')?;
        let known = Digest::sha256(text.as_bytes());
        let right = || self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right().contains(&known) {
            return Some(user.to_owned());
        }
        let hash = self.hashes.get(user);
        let fits = bcrypt::verify(password, hash.map_or(NOBODY, String::as_str)).unwrap_or(false);
        if !fits || hash.is_none() {
            return None;
        }
        let mut right = right();
        if right.len() < REMEMBERED {
            right.insert(known);
        }
        Some(user.to_owned())
    }
}

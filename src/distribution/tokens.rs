//! Tokens that were given, and what each host asks for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::challenge::Challenge;
use crate::http::Secret;

/// Tokens by host and scope, and what hosts ask for.
#[derive(Default)]
pub(super) struct Tokens {
    challenges: Mutex<HashMap<String, Challenge>>,
    /// One lock for each, so that many threads ask for one token once.
    tokens: Mutex<HashMap<(String, String), Slot>>,
}

pub(super) type Slot = Arc<Mutex<Option<Token>>>;

/// A token, and how long it is good.
#[derive(Clone)]
pub(super) struct Token {
    pub header: Secret,
    pub until: Instant,
}

impl Tokens {
    pub fn slot(&self, host: &str, scope: &str) -> Slot {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tokens.entry((host.to_owned(), scope.to_owned())).or_default())
    }

    pub fn challenge(&self, host: &str) -> Option<Challenge> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }

    pub fn learn(&self, host: &str, challenge: &Challenge) {
        self.challenges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(host.to_owned(), challenge.clone());
    }
}

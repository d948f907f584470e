//! What is shown to a registry.

use crate::http::Secret;

/// What is shown to a registry or to who gives its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Name and password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token that gets tokens.
    Identity(Secret),
    /// A token for the registry itself.
    Token(Secret),
}

/// Credentials, and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// What is shown.
    pub credential: Credential,
    /// Where it comes from, such as a file.
    pub from: String,
}

impl Login {
    /// Whose they are and where they come from, without what is secret.
    pub fn shown(&self) -> String {
        match &self.credential {
            Credential::Password { user, .. } => {
                format!("{} (from {})", super::answer::shown(user), self.from)
            }
            Credential::Identity(_) | Credential::Token(_) => format!("the token from {}", self.from),
        }
    }
}

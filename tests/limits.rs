//! Every limit at its border, and what bombs of every kind cost: bounded memory, bounded time, and a word that says
//! which option lets the archive pass.

mod common;

mod limits {
    pub mod bombs;
    pub mod borders;
}

//! Every limit at its border, and what bombs of every kind cost: bounded memory, bounded time, and a word that says
//! which option lets the archive pass.

mod bombs;
mod borders;
mod many;

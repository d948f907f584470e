//! Every test that needs no main of its own, in one binary, so that the crate is linked once for all of them:
//! `cargo test --test all limits::` runs those of one topic.

/// Every file below `tests/` is a module of a binary.
mod binaries;
/// Storages and archives in buckets.
#[cfg(feature = "cloud")]
mod buckets;
/// What the command line promises.
mod cli;
/// What tests of several binaries share.
#[path = "../common/mod.rs"]
mod common;
/// What a comparison believes and tells.
mod compared;
/// What bash, zsh and fish offer.
mod completions;
/// Levels, exceptions and baselines.
mod configured;
/// What `docs/` promises.
mod docs;
/// Faults of the machine and of whoever sits at it.
mod faults;
/// Changes that a report proposes.
mod fixes;
/// Archives that are legal but rare, and archives that mean harm.
mod hostile;
/// Which room of `src/` imports which.
mod house;
/// Images for many platforms.
mod index;
/// Whatever an archive holds has exactly one fate.
mod inventory;
/// OCI layouts made in place, and a folder with the binary to try them on.
mod layout;
/// What other programs call.
mod library;
/// Every limit at its border, and bombs.
mod limits;
/// Servers inside the test's own process.
mod listening;
/// Messages of other tools.
mod messages;
/// Hostile names wherever a name can stand.
mod names;
/// Numbers that bound what is read.
mod numbers;
/// Pages to look at.
mod pages;
mod parts;
/// What a conversion promises of what it writes.
mod promises;
/// What holds for every sound archive.
mod properties;
/// Archives in which readers see different images.
mod readers;
/// Live registries.
mod registry;
/// What repairing promises.
mod repaired;
/// Whole storages.
mod scrubbed;
/// What SECURITY.md promises.
mod security;
/// Archives that serve themselves.
mod served;
/// README.md and `tests/cli/*.trycmd`, run as a person would.
mod sessions;
/// The public names, and what they take and give.
mod surface;
/// What a terminal shows.
mod terminal;
/// What people type who come from other tools.
mod typed;

//! Tar: scanning and writing.

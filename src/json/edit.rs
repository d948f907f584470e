//! Edits by replacing spans.

use super::{Json, SyntaxError};

/// Parses one document. (stub)
pub fn parse(_text: &[u8], _max_depth: usize) -> Result<Json, SyntaxError> {
    Err(SyntaxError { offset: 0, problem: "stub".into(), too_deep: false })
}

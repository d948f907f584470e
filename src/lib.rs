//! Opens a container image in any archive form, proves that it is sound, and rewrites it to any other form.

pub mod digest;
pub mod error;
pub mod format;
pub mod json;
pub mod limits;
pub mod media;
pub mod model;
pub mod platform;
pub mod reference;
pub mod report;
pub mod rules;
pub mod schema;
pub mod tar;

//! Opening: any bytes, as a file and as a stream, give the same archive or the same refusal.

use restow::source::SpoolDir;
use restow::form::{self, Input, OpenOptions};
use restow::View;
use restow::limits::Limits;

/// Any bytes.
pub fn run(data: &[u8]) {
    let dir = crate::scratch();
    let path = crate::file(&dir, data);
    let by_file = view(Input::Path(path), &dir);
    let by_stream = view(Input::Stream(Box::new(std::io::Cursor::new(data.to_vec()))), &dir);
    // A single document or layer is known by its file only.
    if let (Some(by_file), Some(by_stream)) = (by_file, by_stream) {
        assert_eq!(by_file, by_stream);
    }
}

fn view(input: Input, dir: &tempfile::TempDir) -> Option<String> {
    let options = OpenOptions {
        place: "fuzz",
        form: None,
        limits: &Limits::default(),
        spool: &mut || SpoolDir::new(Some(dir.path())),
        lone: restow::form::Alone::No,
        progress: &(),
    };
    let archive = form::open(input, options).ok()?;
    let view = View::of(&archive, &archive.roots).ok()?;
    serde_json::to_string(&view).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus() {
        crate::corpus().iter().for_each(|bytes| super::run(bytes));
    }
}

//! On a terminal: what is drawn fits, a long job shows how far it is, and Ctrl-C says what was and was not written. The
//! terminal is that of `script`, which every Linux has.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::common::{layer_of, noise};
use crate::faults::signals::long_source;
use crate::layout::{Bench, docker_archive};
use crate::registry::server::{Act, Manner, Server};

/// A command on a terminal of its own.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Terminal {
    /// Starts a line of a shell, in which `restow` is the binary, on a terminal so many columns wide.
    fn start(bench: &Bench, columns: usize, line: &str) -> Terminal {
        let line = line.replace("restow ", &format!("'{}' ", env!("CARGO_BIN_EXE_restow")));
        let mut script = Command::new("script");
        let path = std::env::var_os("PATH").unwrap_or_default();
        script.env_clear().env("PATH", path).env("TERM", "xterm").env("TMPDIR", &bench.restow.tmp);
        script.args(["-qefc", &format!("stty rows 40 cols {columns}; {line}"), "/dev/null"]);
        script
            .current_dir(bench.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = script.spawn().expect("script runs");
        let (keys, mut out) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let shown = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut piece) {
                to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..count]);
            }
        });
        Terminal { child, keys, shown, reader: Some(reader) }
    }

    /// What the terminal was sent up to now.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !holds(&self.shown()) {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "no {what} in half a minute:\n{}",
                self.shown()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Presses Ctrl-C.
    fn interrupt(&mut self) {
        self.keys.write_all(b"\x03").and_then(|()| self.keys.flush()).expect("the terminal takes keys");
    }

    /// How it ended, and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("ended");
        self.reader.take().expect("one").join().expect("read");
        (status.code(), self.shown())
    }
}

/// A text without colours, and without what moves the cursor.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\x1b[") {
        out.push_str(&rest[..at]);
        let sequence = &rest[at + 2..];
        let end =
            sequence.find(|char: char| char.is_ascii_alphabetic()).map_or(sequence.len(), |end| end + 1);
        rest = &sequence[end..];
    }
    out + rest
}

/// The lines of bars that were drawn, one over the other: each is filled to the terminal's edge.
fn bars(text: &str, columns: usize) -> Vec<String> {
    let moved = text.split("\x1b[2K").flat_map(|piece| piece.split(['\r', '\n'])).map(plain);
    let rows = |piece: String| {
        let chars: Vec<char> = piece.chars().collect();
        chars
            .chunks(columns)
            .map(|row| row.iter().collect::<String>().trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    moved.flat_map(rows).collect()
}

/// The longest line of what stays when bars are gone. clap breaks all but the line of a command's usage.
fn longest(text: &str) -> String {
    let text = plain(text.rsplit("\x1b[2K").next().unwrap_or_default());
    let lines = text.lines().filter(|line| !line.starts_with("Usage: "));
    lines.max_by_key(|line| line.chars().count()).unwrap_or_default().to_owned()
}

fn corpus(case: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(case).display().to_string()
}

/// Archives of the corpus under short names, as people have them.
fn bench() -> Bench {
    let bench = Bench::new();
    let here = bench.dir.path();
    let good = fs::read(corpus("good/docker-archive/docker-20.10/archive.tar")).expect("there");
    let edit = |bytes: &[u8], from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).expect("there");
        [&bytes[..at], to, &bytes[at + to.len()..]].concat()
    };
    fs::write(here.join("renamed.tar"), edit(&good, b"ADD 1", b"ADD 9")).expect("written");
    fs::write(here.join("app.tar"), good).expect("written");
    let podman = fs::read(corpus("good/oci/podman/archive.tar")).expect("there");
    fs::write(here.join("digest.tar"), edit(&podman, b"\"size\":159", b"\"size\":158")).expect("written");
    for (case, name) in [("bad/many/ten-faults", "faults"), ("good/docker-archive/two-names", "other")] {
        fs::copy(corpus(&format!("{case}/archive.tar")), here.join(format!("{name}.tar"))).expect("copied");
    }
    let platforms = corpus("good/oci/two-platforms/archive");
    let copied = Command::new("cp").arg("-r").arg(platforms).arg(here.join("platforms")).status();
    assert!(copied.is_ok_and(|status| status.success()));
    bench
}

#[test]
fn nothing_that_is_drawn_is_wider_than_the_terminal() {
    let bench = bench();
    let lines = [
        "check app.tar",
        "check digest.tar",
        "check renamed.tar",
        "check faults.tar",
        "check app.tar renamed.tar digest.tar",
        "inspect app.tar",
        "inspect other.tar",
        "compare app.tar other.tar",
        "compare app.tar renamed.tar",
        "convert app.tar oci:layout",
        "convert --dry-run app.tar oci:new",
        "convert renamed.tar oci:never",
        "convert app.tar oci:no/such/folder/new",
        "explain descriptor/size-mismatch",
        "explain docker-archive/config-name-mismatch",
        "explain whiteout",
        "explain --error 'unexpected EOF'",
        "profiles",
        "profiles docker",
        "--help",
        "check --help",
        "convert -h",
        "index create --help",
    ];
    for columns in [60, 100, 160] {
        for line in lines {
            let (_, shown) = Terminal::start(&bench, columns, &format!("restow {line}")).end();
            let widest = longest(&shown);
            assert!(widest.chars().count() <= columns, "{line}: {columns} columns, but\n{widest}");
            assert!(shown.contains("\x1b[") && !widest.is_empty(), "{line}: nothing in colour\n{shown}");
        }
        fs::remove_dir_all(bench.dir.path().join("layout")).expect("written");
    }
    // Whole digests take as many lines as they need, where a line has room for one.
    for columns in [100, 160] {
        for line in [
            "inspect -v app.tar",
            "check -v renamed.tar",
            "compare -v app.tar other.tar",
            "compare -v app.tar renamed.tar",
            "convert -v --force app.tar oci-archive:new.tar",
            "index inspect platforms",
            "index inspect -v platforms",
        ] {
            let (_, shown) = Terminal::start(&bench, columns, &format!("restow {line}")).end();
            let widest = longest(&shown);
            assert!(widest.chars().count() <= columns, "{line}: {columns} columns, but\n{widest}");
            let shown = plain(&shown);
            let mut parts = shown.split(|c: char| !c.is_ascii_hexdigit());
            let whole = parts.any(|part| part.len() == 64);
            assert!(whole || !line.contains("-v"), "{line}: {columns} columns, but no whole digest");
        }
    }
    let (_, shown) = Terminal::start(&bench, 60, "restow index inspect platforms").end();
    let widest = longest(&shown);
    assert!(widest.chars().count() <= 60 && shown.contains('…'), "{widest}");
}

#[test]
fn a_digest_is_whole_where_it_fits_and_with_verbose() {
    let bench = bench();
    let digest = "d22ff16681ec618cd0d50b356a7eedf4599b7f36d90dacccc97160ddcf6e8189";
    let shown =
        |columns, line: &str| plain(&Terminal::start(&bench, columns, line).end().1).replace("\r\n", "\n");
    assert!(shown(100, "restow check renamed.tar").contains(&format!("    {digest}\n")));
    let narrow = shown(60, "restow check renamed.tar");
    assert!(!narrow.contains(digest) && narrow.contains("hashes to d22ff16681ec…"), "{narrow}");
    assert!(shown(60, "restow check -v renamed.tar").contains(digest));
    assert!(shown(60, "restow check renamed.tar | cat").contains(digest), "a pipe gets all of it");
}

#[test]
fn a_long_job_shows_how_far_it_is_and_which_blob_it_is_at() {
    let bench = Bench::new();
    long_source(&bench.dir.path().join("long.tar"));
    for (columns, total) in [(100, "/512.00 MiB"), (60, "/512.00 MiB"), (40, " %, ")] {
        for line in ["check long.tar", "convert long.tar oci:new"] {
            let mut terminal = Terminal::start(&bench, columns, &format!("exec restow {line}"));
            let bar = |shown: &str| {
                let rows = bars(shown, columns);
                let verb = if line.starts_with("check") { "checking " } else { "converting " };
                let whole = |row: &String| {
                    let rate = columns < 60 || row.contains("/s, ");
                    row.starts_with(verb) && row.contains(total) && rate && row.ends_with(" left")
                };
                let blob = |row: &String| row.starts_with("  layer.tar ") && row.ends_with("MiB/512.00 MiB");
                rows.iter().any(whole) && rows.iter().any(blob)
            };
            terminal.wait_until("bar", bar);
            terminal.interrupt();
            let (code, shown) = terminal.end();
            assert_eq!(code, Some(130), "{shown}");
        }
    }
    // Without a terminal there is none of it, unless it is asked for, and then lines.
    let long = |options: &[&str]| {
        let mut restow = bench.restow.command();
        restow.args(["convert", "--verify", "digests", "--dry-run"]).args(options);
        let source = bench.dir.path().join("small.tar");
        let source = docker_archive(&source, "lab/app:1", &[layer_of("f", &noise(1, 100_000))]);
        let output = restow.args([&source, "oci:new"]).output().expect("runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(!long(&[]).contains("converting"));
    assert!(
        !long(&[]).contains('\x1b')
            && long(&["--progress", "plain"]).contains("\nconverting: done, 99.50 KiB\n"),
        "{}",
        long(&["--progress", "plain"])
    );
}

/// What Ctrl-C leaves, and what is said of it.
#[test]
fn ctrl_c_says_what_was_and_was_not_written() {
    let bench = Bench::new();
    long_source(&bench.dir.path().join("long.tar"));
    docker_archive(&bench.dir.path().join("small.tar"), "lab/small:1", &[layer_of("f", b"x")]);
    let before = fs::read_dir(bench.dir.path()).expect("listed").count();
    for (line, verb, said) in [
        ("convert long.tar oci:new", "converting ", "interrupted: nothing was written"),
        ("convert long.tar docker-archive:new.tar", "converting ", "interrupted: nothing was written"),
        ("convert long.tar docker-archive:new.tar.gz", "converting ", "interrupted: nothing was written"),
        ("index create oci:new long.tar", "converting ", "interrupted: nothing was written"),
        (
            "check -o json=report.json long.tar",
            "checking ",
            "interrupted: not all was read, and no report was written",
        ),
        (
            "compare long.tar small.tar",
            "checking ",
            "interrupted: not all was read, and no report was written",
        ),
        ("serve --listen 127.0.0.1:0 small.tar long.tar", "ing ", "interrupted: nothing was served"),
    ] {
        let mut terminal = Terminal::start(&bench, 100, &format!("exec restow {line}"));
        terminal.wait_until("bar", |shown| plain(shown).contains(verb) && shown.contains("512.00 MiB"));
        terminal.interrupt();
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(130), "{line}: {shown}");
        let last = plain(&shown).trim_end().rsplit(['\n', '\r']).next().unwrap_or_default().to_owned();
        assert_eq!(last, said, "{line}:\n{shown}");
        assert_eq!(fs::read_dir(bench.dir.path()).expect("listed").count(), before, "{line} left something");
    }
}

#[test]
fn ctrl_c_says_what_a_registry_has() {
    let bench = Bench::new();
    docker_archive(&bench.dir.path().join("small.tar"), "lab/small:1", &[layer_of("f", b"x")]);
    for (method, path, said) in [
        (
            "POST",
            "/blobs/uploads/",
            "interrupted: no tag was written; blobs that were sent stay until the registry removes them",
        ),
        ("PUT", "/manifests/", "interrupted while tags were written; `restow check` tells which are there"),
    ] {
        let server = Server::start(Manner::default());
        server.plant(method, path, 1000, Act::Silent);
        let line = format!("exec restow convert small.tar docker://{}/lab/small:1", server.address);
        let mut terminal = Terminal::start(&bench, 100, &line);
        terminal.wait_until(method, |_| server.count(method, path) > 0);
        terminal.interrupt();
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(130), "{shown}");
        assert!(plain(&shown).trim_end().ends_with(said), "{shown}");
        assert!(server.tagged().1.is_empty());
    }
}

#[test]
fn ctrl_c_ends_a_server_that_says_what_it_did() {
    let bench = Bench::new();
    docker_archive(&bench.dir.path().join("small.tar"), "lab/small:1", &[layer_of("f", b"x")]);
    let mut terminal = Terminal::start(&bench, 100, "exec restow serve --listen 127.0.0.1:0 small.tar");
    terminal.wait_until("address", |shown| plain(shown).contains("serving http://127.0.0.1:"));
    terminal.interrupt();
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(plain(&shown).trim_end().ends_with("ended after 0 requests"), "{shown}");
}

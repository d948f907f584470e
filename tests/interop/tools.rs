//! The installed tools, and how one is run: by absolute path, in a clean environment, with a limit.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where Debian installs each tool. `PATH` is not asked: it may hold another client of the same name.
const TOOLS: &[(&str, &str)] = &[
    ("skopeo", "/usr/bin/skopeo"),
    ("umoci", "/usr/bin/umoci"),
    ("podman", "/usr/bin/podman"),
    ("buildah", "/usr/bin/buildah"),
    ("docker", "/usr/bin/docker"),
    ("dockerd", "/usr/sbin/dockerd"),
    ("containerd", "/usr/bin/containerd"),
    ("ctr", "/usr/bin/ctr"),
    ("docker-registry", "/usr/bin/docker-registry"),
    ("cc", "/usr/bin/cc"),
];

/// One test: its name, the tools that it cannot do without, and what it does.
pub struct Case {
    /// Name of the test, also part of the names of its images.
    pub name: &'static str,
    /// Names in `TOOLS`.
    pub needs: &'static [&'static str],
    /// Fails by panicking.
    pub body: fn(&Scene),
}

/// The directory that one test works in; removed when the test ends.
pub struct Scene {
    dir: tempfile::TempDir,
    /// Makes the layers of this test unlike those of any other, so that no daemon has them already:
    /// Docker does not even open the file of a layer that it holds.
    pub seed: &'static str,
}

impl Scene {
    /// An empty directory for the test `seed`.
    pub fn new(seed: &'static str) -> Self {
        let dir =
            tempfile::Builder::new().prefix("restow-interop-").tempdir().expect("a temporary directory");
        std::fs::create_dir(dir.path().join("home")).expect("home");
        std::fs::create_dir(dir.path().join("tmp")).expect("tmp");
        Self { dir, seed }
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same as text, to put behind a transport prefix.
    pub fn at(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A tool, ready for its arguments.
    pub fn tool(&self, name: &str) -> Command {
        clean(tool_path(name), self.dir.path())
    }

    /// skopeo; it says less with `--quiet`, and its errors are what a failed test shows.
    pub fn skopeo_copy(&self, args: &[&str]) {
        run(self.tool("skopeo").args(["copy", "--quiet"]).args(args));
    }

    /// podman with a store of its own, which needs neither systemd nor an overlay file system.
    pub fn podman(&self) -> Command {
        let mut podman = self.tool("podman");
        podman.args(["--root", &self.at("podman"), "--runroot", &self.at("podman-run")]);
        podman.args(["--tmpdir", &self.at("podman-tmp"), "--storage-driver=vfs"]);
        podman.args(["--cgroup-manager=cgroupfs", "--events-backend=file"]);
        podman
    }

    /// buildah with a store of its own.
    pub fn buildah(&self) -> Command {
        let mut buildah = self.tool("buildah");
        buildah.args(["--root", &self.at("buildah"), "--runroot", &self.at("buildah-run")]);
        buildah.arg("--storage-driver=vfs");
        buildah
    }

    /// The binary under test.
    pub fn restow(&self) -> Command {
        clean(restow_path().expect("missing() asked"), self.dir.path())
    }
}

/// A command that sees nothing of the caller's settings, and is ended after two minutes.
fn clean(path: impl AsRef<std::ffi::OsStr>, dir: &Path) -> Command {
    let mut command = Command::new("/usr/bin/timeout");
    command.args(["-k", "5", "120"]).arg(path).env_clear();
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    command.env("HOME", dir.join("home")).env("TMPDIR", dir.join("tmp")).current_dir(dir);
    command.stdin(Stdio::null());
    command
}

/// Where a tool is.
pub fn tool_path(name: &str) -> &'static str {
    TOOLS.iter().find(|(n, _)| *n == name).map(|(_, path)| *path).expect("a name in TOOLS")
}

fn restow_path() -> Option<PathBuf> {
    let built = option_env!("CARGO_BIN_EXE_restow").map(PathBuf::from);
    std::env::var_os("RESTOW_BIN").map(PathBuf::from).or(built).filter(|path| path.exists())
}

/// The first of these tools that is not installed; restow itself counts as one.
pub fn missing(needs: &[&'static str]) -> Option<&'static str> {
    if restow_path().is_none() {
        return Some("restow");
    }
    needs.iter().copied().find(|name| !Path::new(tool_path(name)).exists())
}

/// Says on standard error which versions are tested against.
pub fn print_versions() {
    for (name, path) in TOOLS {
        let version = Command::new(path).arg("--version").output().map_or_else(
            |_| "not installed".to_owned(),
            |out| String::from_utf8_lossy(&out.stdout).lines().next().unwrap_or_default().to_owned(),
        );
        eprintln!("{name:15} {path}: {version}");
    }
}

/// Runs a command that must succeed; its standard output.
pub fn run(command: &mut Command) -> String {
    let out = command.output().expect("the command starts");
    assert!(out.status.success(), "{}", failure(command, &out));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Runs `from | into`; both must succeed. The second one's standard output.
pub fn pipe(from: &mut Command, into: &mut Command) -> String {
    let mut first = from.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let stream = first.stdout.take().expect("piped above");
    let second = into.stdin(stream).output().expect("the command starts");
    let first = first.wait_with_output().expect("the command ends");
    // Both are shown: the end that broke the pipe is not always the end that went wrong.
    let both = format!("{}\n{}", failure(from, &first), failure(into, &second));
    assert!(first.status.success() && second.status.success(), "{both}");
    String::from_utf8_lossy(&second.stdout).into_owned()
}

/// A command and all that it said.
pub fn failure(command: &Command, out: &Output) -> String {
    let mut text = String::new();
    // The first three arguments are those of `timeout`.
    for arg in command.get_args().skip(3) {
        let _ = write!(text, "{} ", arg.to_string_lossy());
    }
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    format!("{text}\n{}\n{stdout}{stderr}", out.status)
}

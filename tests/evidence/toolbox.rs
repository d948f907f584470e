//! The tools of one installed distribution: that of the machine, or one in a folder (`debootstrap`), which is entered by
//! `chroot`. All of it works in one folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::words;

/// A tool, and the package that its version is that of.
pub const PACKAGES: [(&str, &str); 7] = [
    ("docker", "docker.io"),
    ("containerd", "containerd"),
    ("podman", "podman"),
    ("buildah", "buildah"),
    ("skopeo", "skopeo"),
    ("umoci", "umoci"),
    ("registry", "docker-registry"),
];

/// What is bound into a folder that holds a distribution, so that its daemons run.
const MOUNTS: [&str; 3] = ["proc", "sys", "dev"];

/// Where the tools are and where they work.
pub struct Toolbox {
    root: PathBuf,
    work: tempfile::TempDir,
}

impl Toolbox {
    /// The tools below `root`, which is `/` for those of the machine. The caller has a mount namespace of its own.
    pub fn open(root: &Path) -> Result<Toolbox, String> {
        if root != Path::new("/") {
            // runc and Docker want a root that is a mount.
            run(Command::new("/usr/bin/mount").arg("--bind").args([root, root]), &[])?;
            for name in MOUNTS {
                let mut mount = Command::new("/usr/bin/mount");
                mount.args(["--rbind".into(), Path::new("/").join(name), root.join(name)]);
                run(&mut mount, &[])?;
            }
        }
        let tmp = root.join("tmp");
        let work = tempfile::Builder::new().prefix("restow-evidence-").tempdir_in(tmp);
        let toolbox = Toolbox { root: root.to_owned(), work: work.map_err(|error| error.to_string())? };
        for folder in ["home", "tmp"] {
            fs::create_dir(toolbox.outside(folder)).map_err(|error| error.to_string())?;
        }
        Ok(toolbox)
    }

    /// A path below the working folder, as this program sees it.
    pub fn outside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.work.path().join(name)
    }

    /// The same path as the tools see it.
    pub fn inside(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.outside(name);
        Path::new("/").join(path.strip_prefix(&self.root).unwrap_or(&path))
    }

    /// What a tool calls this path, as this program sees it.
    pub fn seen(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A tool, which starts in `folder` below the working folder and is ended after a minute.
    pub fn tool(&self, name: &str, folder: &str) -> Command {
        let mut command = Command::new("/usr/bin/timeout");
        command.args(["-k", "5", "60"]);
        self.enter(&mut command, name, folder);
        command
    }

    /// A daemon: the same without an end.
    pub fn daemon(&self, name: &str) -> Command {
        let mut command = Command::new("/usr/bin/env");
        self.enter(&mut command, name, "");
        command
    }

    fn enter(&self, command: &mut Command, name: &str, folder: &str) {
        command.arg("/usr/sbin/chroot").arg(&self.root).args(["/usr/bin/env", "-i", "-C"]);
        command.arg(self.inside(folder)).arg("LC_ALL=C").arg("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
        command.arg(format!("HOME={}", self.inside("home").display()));
        command.arg(format!("TMPDIR={}", self.inside("tmp").display())).arg(name).stdin(Stdio::null());
    }

    /// `Debian 12`
    pub fn distribution(&self) -> String {
        let text = fs::read_to_string(self.root.join("etc/os-release")).unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches('"').to_owned()
        };
        let name = value("NAME");
        format!("{} {}", name.split(' ').next().unwrap_or_default(), value("VERSION_ID"))
    }

    /// The version of a tool, as upstream counts; `None` where it is not installed.
    pub fn version(&self, tool: &str) -> Option<String> {
        let (_, package) = PACKAGES.iter().find(|(name, _)| *name == tool)?;
        let mut query = self.tool("dpkg-query", "");
        let out = query.args(["-W", "-f", "${Version}", package]).output().ok()?;
        let version =
            String::from_utf8(out.stdout).ok().filter(|text| out.status.success() && !text.is_empty())?;
        let upstream = version.split(['+', '~', '-']).next()?;
        Some(upstream.rsplit(':').next()?.to_owned())
    }
}

/// Standard output of a command that succeeds; otherwise its words in short, without these names.
pub fn run(command: &mut Command, names: &[&str]) -> Result<String, String> {
    let out = command.output().map_err(|error| error.to_string())?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(said(&out, names))
}

fn said(out: &Output, names: &[&str]) -> String {
    match out.status.code() {
        Some(124 | 137) => "no answer in a minute".into(),
        _ => {
            let text = [out.stdout.as_slice(), b"\n", out.stderr.as_slice()].concat();
            words::short(&String::from_utf8_lossy(&text), names)
        }
    }
}

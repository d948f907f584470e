//! What tools need around them: daemons on overlay file systems, a registry that serves anything, and Debian's own.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use super::served::Served;
use super::toolbox::Toolbox;
use crate::daemons::Daemon;

/// The tools of a distribution with their daemons, which stop when it is dropped.
pub struct Lab {
    pub toolbox: Toolbox,
    pub served: Served,
    /// dockerd is in front: it stops first.
    docker: Mutex<Option<Daemon>>,
    containerd: Option<Daemon>,
    registry: Option<Registry>,
}

/// Debian's docker-registry over a storage.
pub struct Registry {
    _daemon: Daemon,
    /// `127.0.0.1:PORT`
    pub address: String,
}

impl Lab {
    /// Starts the daemons of these tools.
    pub fn open(root: &Path, tools: &[String]) -> Result<Lab, String> {
        let toolbox = Toolbox::open(root)?;
        let served = Served::start().map_err(|error| error.to_string())?;
        let mut lab = Lab { toolbox, served, docker: Mutex::new(None), containerd: None, registry: None };
        let wants = |tool: &str| tools.iter().any(|t| t == tool);
        if wants("docker") || wants("containerd") {
            lab.containerd = Some(lab.start_containerd()?);
        }
        if wants("docker") {
            *lab.docker.lock().map_err(|error| error.to_string())? = Some(lab.start_docker()?);
        }
        if wants("registry") {
            lab.registry = Some(lab.registry("pushed")?);
        }
        Ok(lab)
    }

    fn inside(&self, name: &str) -> String {
        self.toolbox.inside(name).display().to_string()
    }

    fn start_containerd(&self) -> Result<Daemon, String> {
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {:?}\n",
            self.inside("containerd"),
            self.inside("containerd-state"),
            self.inside("containerd.sock"),
        );
        fs::write(self.toolbox.outside("containerd.toml"), config).map_err(|error| error.to_string())?;
        let mut command = self.toolbox.daemon("containerd");
        command.arg("--config").arg(self.inside("containerd.toml"));
        let socket = self.toolbox.outside("containerd.sock");
        let log = self.toolbox.outside("containerd.log");
        Daemon::start(command, &log, || UnixStream::connect(&socket).is_ok())
    }

    fn start_docker(&self) -> Result<Daemon, String> {
        // Without a file of our own it would read /etc/docker/daemon.json.
        fs::write(self.toolbox.outside("docker.json"), "{}").map_err(|error| error.to_string())?;
        let mut command = self.toolbox.daemon("dockerd");
        command.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"]);
        command.args(["--storage-driver=overlay2", "--max-download-attempts=1"]);
        command
            .arg("--config-file")
            .arg(self.inside("docker.json"))
            .arg("--data-root")
            .arg(self.inside("docker"));
        command
            .arg("--exec-root")
            .arg(self.inside("docker-exec"))
            .arg("--pidfile")
            .arg(self.inside("docker.pid"));
        command.arg("--containerd").arg(self.inside("containerd.sock"));
        command.arg("--host").arg(format!("unix://{}", self.inside("docker.sock")));
        let socket = self.toolbox.outside("docker.sock");
        Daemon::start(command, &self.toolbox.outside("docker.log"), || UnixStream::connect(&socket).is_ok())
    }

    /// Starts dockerd again where a case has ended it; whether that was so.
    pub fn revive_docker(&self) -> bool {
        let alive = UnixStream::connect(self.toolbox.outside("docker.sock")).is_ok();
        if let (false, Ok(mut docker)) = (alive, self.docker.lock()) {
            *docker = None;
            drop(fs::remove_file(self.toolbox.outside("docker.pid")));
            *docker = self.start_docker().ok();
        }
        !alive
    }

    /// Debian's registry over the folder `storage` below the working folder.
    pub fn registry(&self, storage: &str) -> Result<Registry, String> {
        let root = self.inside(storage);
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {root}\nhttp:\n  addr: 127.0.0.1:0\n"
        );
        let config = format!("{storage}.yml");
        fs::write(self.toolbox.outside(&config), text).map_err(|error| error.to_string())?;
        let mut command = self.toolbox.daemon("docker-registry");
        command.arg("serve").arg(self.inside(&config));
        let log = self.toolbox.outside(format!("{storage}.log"));
        let mut address = None;
        let daemon = Daemon::start(command, &log, || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            address = text.split_once("listening on ").and_then(|(_, rest)| {
                let end = rest.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit())?;
                Some(rest[..end].to_owned())
            });
            address.is_some()
        })?;
        Ok(Registry { _daemon: daemon, address: address.unwrap_or_default() })
    }

    /// The registry that cases are pushed to.
    pub fn pushed(&self) -> Option<&str> {
        self.registry.as_ref().map(|registry| registry.address.as_str())
    }

    pub fn docker(&self, folder: &str) -> Command {
        let mut docker = self.toolbox.tool("docker", folder);
        docker.arg("--host").arg(format!("unix://{}", self.inside("docker.sock")));
        docker
    }

    pub fn ctr(&self, folder: &str) -> Command {
        let mut ctr = self.toolbox.tool("ctr", folder);
        ctr.args(["--address", &self.inside("containerd.sock"), "--namespace", "evidence"]);
        ctr
    }

    /// podman with a store of this case's own.
    pub fn podman(&self, folder: &str) -> Command {
        let mut podman = self.toolbox.tool("podman", folder);
        let at = |name: &str| self.inside(&format!("{folder}/{name}"));
        podman.args([
            "--storage-driver=overlay",
            "--cgroup-manager=cgroupfs",
            "--events-backend=file",
            "--runtime=runc",
        ]);
        podman.args(["--root", &at("store"), "--runroot", &at("store-run")]);
        podman.args(["--tmpdir", &at("store-tmp")]);
        podman
    }

    /// buildah with a store of this case's own.
    pub fn buildah(&self, folder: &str) -> Command {
        let mut buildah = self.toolbox.tool("buildah", folder);
        let at = |name: &str| self.inside(&format!("{folder}/{name}"));
        buildah.args(["--storage-driver=overlay", "--root", &at("store"), "--runroot", &at("store-run")]);
        buildah
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Ok(mut docker) = self.docker.lock() {
            *docker = None;
        }
        self.containerd = None;
        self.registry = None;
    }
}

//! The daemons that tests talk to.
//!
//! containerd and dockerd take seconds to start, so the whole run shares one of each; dockerd uses
//! that containerd, so every process here is a child of ours. A registry is started by each test
//! that needs one, over the storage that the test looks at.

use super::tools::{Scene, run, tool_path};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long a daemon may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

static CONTAINERD: OnceLock<Result<Daemon, String>> = OnceLock::new();
static DOCKERD: OnceLock<Result<Daemon, String>> = OnceLock::new();
/// Roots and sockets of both. `Option`, so that the end of the run can remove it.
static HOME: LazyLock<Mutex<Option<tempfile::TempDir>>> = LazyLock::new(|| {
    let dir = tempfile::Builder::new().prefix("restow-daemons-").tempdir();
    Mutex::new(Some(dir.expect("a temporary directory")))
});

/// A running daemon; dropping it stops the process.
pub struct Daemon {
    child: Mutex<Option<Child>>,
}

impl Daemon {
    /// Starts `command` with its output in `log`, and waits until `ready` says that it answers.
    pub fn start(command: Command, log: &Path, mut ready: impl FnMut() -> bool) -> Result<Self, String> {
        let child = spawn(command, log)?;
        let daemon = Self { child: Mutex::new(Some(child)) };
        let end = Instant::now() + PATIENCE;
        loop {
            if ready() {
                return Ok(daemon);
            }
            let mut child = daemon.child.lock().expect("not poisoned");
            let ended = child.as_mut().is_none_or(|c| c.try_wait().is_ok_and(|status| status.is_some()));
            drop(child);
            if ended || Instant::now() > end {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("a daemon did not start; its log:\n{said}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGTERM, and SIGKILL when that does not end it. Once is enough; again does nothing.
    pub fn stop(&self) {
        let Some(mut child) = self.child.lock().ok().and_then(|mut child| child.take()) else { return };
        let _ = Command::new("/bin/sh").arg("-c").arg(format!("kill {}", child.id())).status();
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Spawns from a thread that lives as long as the process.
///
/// `setpriv --pdeathsig` ends the daemon when this process is killed outright, but the kernel sends
/// the signal when the spawning *thread* ends, and threads of the test runner end early.
fn spawn(command: Command, log: &Path) -> Result<Child, String> {
    type Order = (Command, Sender<std::io::Result<Child>>);
    static SPAWNER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let mut whole = Command::new("/usr/bin/setpriv");
    whole.args(["--pdeathsig", "TERM"]).arg(command.get_program()).args(command.get_args());
    let output = File::create(log).map_err(|e| e.to_string())?;
    let errors = output.try_clone().map_err(|e| e.to_string())?;
    // Proxies of the machine would catch what is meant for 127.0.0.1.
    whole.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    whole.stdin(Stdio::null()).stdout(output).stderr(errors);
    let (answer, result) = channel();
    SPAWNER.lock().expect("not poisoned").send((whole, answer)).expect("the spawner lives on");
    result.recv().expect("the spawner answers").map_err(|e| e.to_string())
}

/// Stops what `docker` and `ctr` started, and removes their data.
pub fn stop_shared() {
    for daemon in [&DOCKERD, &CONTAINERD] {
        if let Some(Ok(daemon)) = daemon.get() {
            daemon.stop();
        }
    }
    drop(HOME.lock().ok().and_then(|mut home| home.take()));
}

fn home(name: &str) -> PathBuf {
    let home = HOME.lock().expect("not poisoned");
    home.as_ref().expect("only stop_shared takes it").path().join(name)
}

fn containerd_socket() -> PathBuf {
    let started = CONTAINERD.get_or_init(|| {
        let socket = home("containerd.sock");
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {socket:?}\n",
            home("containerd"),
            home("containerd-state"),
        );
        fs::write(home("containerd.toml"), config).map_err(|e| e.to_string())?;
        let mut command = Command::new(tool_path("containerd"));
        command.arg("--config").arg(home("containerd.toml"));
        Daemon::start(command, &home("containerd.log"), || socket.exists())
    });
    if let Err(why) = started {
        panic!("{why}");
    }
    home("containerd.sock")
}

fn docker_socket() -> String {
    let containerd = containerd_socket();
    let started = DOCKERD.get_or_init(|| {
        // Without a file of our own it would read /etc/docker/daemon.json.
        fs::write(home("docker.json"), "{}").map_err(|e| e.to_string())?;
        let socket = home("docker.sock");
        let mut command = Command::new(tool_path("dockerd"));
        command.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"]);
        command.arg("--storage-driver=vfs").arg("--config-file").arg(home("docker.json"));
        command.arg("--data-root").arg(home("docker")).arg("--exec-root").arg(home("docker-exec"));
        command.arg("--pidfile").arg(home("docker.pid")).arg("--containerd").arg(containerd);
        command.arg("--host").arg(format!("unix://{}", socket.display()));
        Daemon::start(command, &home("docker.log"), || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        })
    });
    if let Err(why) = started {
        panic!("{why}");
    }
    format!("unix://{}", home("docker.sock").display())
}

/// The Docker client, talking to our daemon.
pub fn docker(scene: &Scene) -> Command {
    let mut docker = scene.tool("docker");
    docker.args(["--host", &docker_socket()]);
    docker
}

/// `ctr`, talking to our containerd in a namespace of the test's own.
pub fn ctr(scene: &Scene) -> Command {
    let mut ctr = scene.tool("ctr");
    ctr.arg("--address").arg(containerd_socket()).args(["--namespace", scene.seed]);
    ctr
}

/// A registry over one storage directory.
pub struct Registry {
    _daemon: Daemon,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Registry {
    /// Serves the storage in `dir` of the scene (the directory that holds `docker/registry/v2`).
    pub fn serve(scene: &Scene, dir: &str) -> Self {
        let config = scene.path("registry.yml");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n",
            scene.at(dir)
        );
        fs::write(&config, text).expect("config");
        let log = scene.path("registry.log");
        let mut command = Command::new(tool_path("docker-registry"));
        command.arg("serve").arg(&config);
        let mut address = None;
        let daemon = Daemon::start(command, &log, || {
            address = listening(&fs::read_to_string(&log).unwrap_or_default());
            address.is_some()
        });
        let daemon = daemon.unwrap_or_else(|why| panic!("{why}"));
        Self { _daemon: daemon, address: address.expect("start() waited for it") }
    }

    /// Pulls or pushes with skopeo.
    pub fn copy(&self, scene: &Scene, args: &[&str]) {
        let mut skopeo = scene.tool("skopeo");
        skopeo.args(["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"]);
        run(skopeo.args(args));
    }
}

/// The port that the kernel gave, from the line `msg="listening on 127.0.0.1:41953"`.
fn listening(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on ")?;
    let end = rest.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit())?;
    Some(rest[..end].to_owned())
}

/// restow as the registry, over archives.
pub struct Served {
    _daemon: Daemon,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Served {
    /// Serves places of the scene.
    pub fn start(scene: &Scene, places: &[&str]) -> Self {
        let log = scene.path("served.log");
        // Of an earlier one.
        let _ = fs::remove_file(&log);
        let mut command = scene.restow();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(places);
        let mut address = None;
        let daemon = Daemon::start(command, &log, || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            let line = log.lines().find_map(|line| line.strip_prefix("serving http://"));
            address = line.map(str::to_owned);
            address.is_some()
        });
        let daemon = daemon.unwrap_or_else(|why| panic!("{why}"));
        Self { _daemon: daemon, address: address.expect("start() waited for it") }
    }
}

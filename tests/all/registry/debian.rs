//! Debian's registry: plain, with passwords, with TLS; and skopeo on the other side. Where they are not installed nothing
//! is tried, and that is said.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::places::{command, layout, stderr};

/// A registry of its own process, ended when it is dropped.
pub struct Registry {
    child: Child,
    pub address: String,
    pub folder: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        let _ = writeln!(std::io::stderr(), "{program} is not installed: not tried");
    }
    found.is_ok()
}

/// Starts a registry; `more` is what its configuration says beside the usual.
pub fn start(more: impl Fn(&Path) -> (String, String)) -> Registry {
    let folder = tempfile::tempdir().expect("temporary directory");
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let (http, auth) = more(folder.path());
    let data = folder.path().join("data");
    let text = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
         http:\n  addr: 127.0.0.1:{port}\n{http}{auth}",
        data.display()
    );
    let file = folder.path().join("config.yml");
    std::fs::write(&file, text).expect("written");
    let child = Command::new("docker-registry")
        .arg("serve")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let address = format!("localhost:{port}");
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the registry does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Registry { child, address, folder }
}

fn run(registry: &Registry, arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(registry.folder.path()).args(arguments).output().expect("runs");
    (output.status.code(), stderr(&output))
}

#[test]
fn plain_and_beside_skopeo() {
    if !has("docker-registry") || !has("skopeo") {
        return;
    }
    let registry = start(|_| (String::new(), String::new()));
    let place = |name: &str| format!("docker://{}/{name}", registry.address);
    for case in ["three-layers", "two-platforms", "multiplatform-attestation-nested", "referrers", "zstd"] {
        let (code, said) =
            run(&registry, &["convert", "--verify-after", &layout(case), &place(&format!("{case}/"))]);
        let named = place(&format!("{case}/app:v1"));
        if code != Some(0) {
            let (code, said) = run(&registry, &["convert", "--verify-after", &layout(case), &named]);
            assert_eq!(code, Some(0), "{case}: {said}");
        }
        let back = registry.folder.path().join(format!("{case}-back"));
        let (code, again) =
            run(&registry, &["convert", &place(&format!("{case}/")), &format!("oci:{}", back.display())]);
        assert_eq!(code, Some(0), "{case}: {said} {again}");
        let (code, said) = run(
            &registry,
            &[
                "compare",
                "--ignore",
                "names",
                &place(&format!("{case}/")),
                &format!("oci:{}", back.display()),
            ],
        );
        assert_eq!(code, Some(0), "{case}: {said}");
    }
    // What skopeo pushed is read, and what we pushed skopeo reads, byte for byte.
    let source = layout("three-layers");
    let (code, said) = run(&registry, &["convert", &source, &place("ours:1")]);
    assert_eq!(code, Some(0), "{said}");
    let skopeo = |from: &str, to: &str| {
        let output = Command::new("skopeo")
            .args([
                "--insecure-policy",
                "copy",
                "--preserve-digests",
                "--all",
                "--src-tls-verify=false",
                "--dest-tls-verify=false",
                from,
                to,
            ])
            .output()
            .expect("runs");
        assert!(output.status.success(), "{}", stderr(&output));
    };
    skopeo(&place("ours:1"), &place("theirs:1"));
    let (code, said) = run(&registry, &["check", &place("theirs:1")]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) =
        run(&registry, &["compare", "--ignore", "names", &place("ours:1"), &place("theirs:1")]);
    assert_eq!(code, Some(0), "{said}");
}

/// How `openssl` makes the certificate of a registry.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Signed {
    /// As `openssl req -x509` does by itself: it signs itself, and is an authority.
    Authority,
    /// It signs itself, and is none.
    Server,
    /// An authority whose time is over.
    Expired,
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output().expect("runs");
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
}

/// Makes `key.pem` and `cert.pem`, for `localhost` alone.
fn certificate(folder: &Path, signed: Signed) {
    let name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem"];
    let new = ["req", "-newkey", "rsa:2048", "-nodes"];
    match signed {
        Signed::Authority => {
            openssl(folder, &[&new[..], &["-x509", "-days", "2", "-out", "cert.pem"], &name].concat());
        }
        Signed::Server => {
            let none = ["-addext", "basicConstraints=critical,CA:FALSE"];
            openssl(folder, &[&new[..], &["-x509", "-days", "2", "-out", "cert.pem"], &name, &none].concat());
        }
        Signed::Expired => {
            openssl(folder, &[&new[..], &["-out", "asked.pem"], &name].concat());
            let config = "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nnew_certs_dir = .\nserial = serial\n\
                          default_md = sha256\npolicy = p\ncopy_extensions = copy\nx509_extensions = e\n\
                          [p]\ncommonName = supplied\n[e]\nbasicConstraints = CA:TRUE\n";
            for (file, text) in [("ca.conf", config), ("index", ""), ("serial", "01")] {
                std::fs::write(folder.join(file), text).expect("written");
            }
            let dates = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"];
            let sign = ["ca", "-config", "ca.conf", "-selfsign", "-batch", "-notext", "-keyfile", "key.pem"];
            openssl(folder, &[&sign[..], &["-in", "asked.pem", "-out", "cert.pem"], &dates].concat());
        }
    }
}

/// A registry with such a certificate, for `user:hunter22`.
fn guarded(signed: Signed) -> Registry {
    start(|folder| {
        certificate(folder, signed);
        let passwords = Command::new("htpasswd").args(["-Bbn", "user", "hunter22"]).output().expect("runs");
        std::fs::write(folder.join("htpasswd"), passwords.stdout).expect("written");
        let folder = folder.display();
        (
            format!("  tls: {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}\n"),
            format!("auth:\n  htpasswd: {{realm: test, path: {folder}/htpasswd}}\n"),
        )
    })
}

#[test]
fn passwords_and_certificates() {
    if !has("docker-registry") || !has("htpasswd") || !has("openssl") {
        return;
    }
    for signed in [Signed::Authority, Signed::Server] {
        let registry = guarded(signed);
        let place = format!("docker://{}/team/app:v1", registry.address);
        let file = registry.folder.path().join("cert.pem").display().to_string();
        let source = layout("three-layers");
        let creds = ["--creds", "user:hunter22"];
        let run = |arguments: &[&str]| run(&registry, arguments);
        let (code, said) = run(&[&["convert"], &creds[..], &[&source, &place]].concat());
        assert!(
            code == Some(2) && said.contains("is not trusted: its certificate is "),
            "{signed:?}: {said}"
        );
        assert!(said.contains("--ca FILE"), "{signed:?}: {said}");
        let (code, said) = run(&[&["convert", "--ca", &file], &creds[..], &[&source, &place]].concat());
        assert_eq!(code, Some(0), "{signed:?}: {said}");
        let (code, said) = run(&[&["check", "--tls-verify=false"], &creds[..], &[&place]].concat());
        assert_eq!(code, Some(0), "{signed:?}: {said}");
        // By the folder that docker and podman use.
        let folder = registry.folder.path().join(".config/containers/certs.d").join(&registry.address);
        std::fs::create_dir_all(&folder).expect("folder");
        std::fs::copy(&file, folder.join("ca.crt")).expect("copied");
        let (code, said) = run(&[&["check"], &creds[..], &[&place]].concat());
        assert_eq!(code, Some(0), "{signed:?}: {said}");
        let (code, said) = run(&["check", "--creds", "user:wrong-one", &place]);
        assert!(
            code == Some(2) && said.contains("refuses it to user") && !said.contains("wrong-one"),
            "{said}"
        );
        // The certificate is for localhost alone.
        let other = place.replace("localhost", "127.0.0.1");
        let (code, said) = run(&["check", "--ca", &file, "--retry-times", "0", &other]);
        assert!(code == Some(2) && said.contains("for another host"), "{signed:?}: {said}");
    }
}

#[test]
fn a_certificate_whose_time_is_over() {
    if !has("docker-registry") || !has("htpasswd") || !has("openssl") {
        return;
    }
    let registry = guarded(Signed::Expired);
    let place = format!("docker://{}/team/app:v1", registry.address);
    let file = registry.folder.path().join("cert.pem").display().to_string();
    let (code, said) = run(&registry, &["check", "--ca", &file, "--creds", "user:hunter22", &place]);
    assert!(code == Some(2) && said.contains("is not trusted: its certificate has expired"), "{said}");
}

//! Debian's registry: plain, with passwords, with TLS; and skopeo on the other side. Where they are not installed nothing
//! is tried, and that is said.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::places::{command, layout, stderr};

/// A registry of its own process, ended when it is dropped.
struct Registry {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        let _ = writeln!(std::io::stderr(), "{program} is not installed: not tried");
    }
    found.is_ok()
}

/// Starts a registry; `more` is what its configuration says beside the usual.
fn start(more: impl Fn(&Path) -> (String, String)) -> Registry {
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

#[test]
fn passwords_and_certificates() {
    if !has("docker-registry") || !has("htpasswd") || !has("openssl") {
        return;
    }
    let registry = start(|folder| {
        let (key, certificate) = (folder.join("key.pem"), folder.join("cert.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
            ])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("runs");
        assert!(made.status.success(), "{}", stderr(&made));
        let passwords = Command::new("htpasswd").args(["-Bbn", "user", "hunter22"]).output().expect("runs");
        std::fs::write(folder.join("htpasswd"), passwords.stdout).expect("written");
        let http = format!("  tls: {{certificate: {}, key: {}}}\n", certificate.display(), key.display());
        let auth =
            format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", folder.join("htpasswd").display());
        (http, auth)
    });
    let place = format!("docker://{}/team/app:v1", registry.address);
    let certificate = registry.folder.path().join("cert.pem").display().to_string();
    let source = layout("three-layers");
    let creds = ["--creds", "user:hunter22"];
    let (code, said) = run(&registry, &[&["convert"], &creds[..], &[&source, &place]].concat());
    assert!(code == Some(2) && said.contains("is not trusted") && said.contains("--ca FILE"), "{said}");
    let (code, said) =
        run(&registry, &[&["convert", "--ca", &certificate], &creds[..], &[&source, &place]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&registry, &[&["check", "--tls-verify=false"], &creds[..], &[&place]].concat());
    assert_eq!(code, Some(0), "{said}");
    // By the folder that docker and podman use.
    let folder = registry.folder.path().join(".config/containers/certs.d").join(&registry.address);
    std::fs::create_dir_all(&folder).expect("folder");
    std::fs::copy(registry.folder.path().join("cert.pem"), folder.join("ca.crt")).expect("copied");
    let (code, said) = run(&registry, &[&["check"], &creds[..], &[&place]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&registry, &["check", "--creds", "user:wrong-one", &place]);
    assert!(code == Some(2) && said.contains("refuses it to user") && !said.contains("wrong-one"), "{said}");
    // The certificate is for localhost alone.
    let other = place.replace("localhost", "127.0.0.1");
    let (code, said) = run(&registry, &["check", "--ca", &certificate, "--retry-times", "0", &other]);
    assert!(code == Some(2) && said.contains("for another host"), "{said}");
}

/// Killed at many moments: no tag ever points at a half, and the same command then sends what is missing.
#[test]
fn a_push_that_is_killed_leaves_no_half() {
    if !has("docker-registry") {
        return;
    }
    let kills: u32 = std::env::var("RESTOW_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let registry = start(|_| (String::new(), String::new()));
    let source = layout("multiplatform-attestation-nested");
    let full = {
        let begun = Instant::now();
        let (code, said) =
            run(&registry, &["convert", &source, &format!("docker://{}/whole/app:v1", registry.address)]);
        assert_eq!(code, Some(0), "{said}");
        begun.elapsed()
    };
    let mut before = 0;
    for kill in 0..kills {
        let place = format!("docker://{}/killed/n{kill}:v1", registry.address);
        let mut child = command(registry.folder.path())
            .args(["convert", &source, &place])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        std::thread::sleep(full.mul_f64(f64::from(kill + 1) / f64::from(kills + 1)));
        let _ = child.kill();
        let _ = child.wait();
        let (code, said) = run(&registry, &["check", &place]);
        // There is no such image, or it is whole.
        assert!(code == Some(0) || said.contains("there is no such image"), "{said}");
        before += u32::from(code != Some(0));
        let (code, said) = run(&registry, &["convert", &source, &place]);
        assert_eq!(code, Some(0), "{said}");
        let (code, said) = run(&registry, &["check", &place]);
        assert_eq!(code, Some(0), "{said}");
        let (code, said) = run(&registry, &["convert", &source, &place]);
        assert!(code == Some(0) && said.contains("sent 0 (0 bytes)"), "{said}");
    }
    assert!(before > 0, "every kill came too late");
}

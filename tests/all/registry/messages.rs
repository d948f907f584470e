//! Messages of other tools about registries (`restow explain --error`): what mends them, against a registry that does so.

use restow::messages::{self, Registry, Seen};

use super::places::{command, layout, stderr};
use super::server::{Auth, Manner, Server};

/// A schema 1 manifest of one layer, unsigned as most are.
fn schema1(server: &Server) {
    let layer = crate::common::layer_of("hello", b"hello\n");
    let layer = server.blob("lab/app", &layer);
    let compatible = r#"{\"id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"created\":\"2020-01-01T00:00:00Z\",\"os\":\"linux\",\"architecture\":\"amd64\"}"#;
    let manifest = format!(
        r#"{{"schemaVersion":1,"name":"lab/app","tag":"1","architecture":"amd64","fsLayers":[{{"blobSum":"{layer}"}}],"history":[{{"v1Compatibility":"{compatible}"}}]}}"#
    );
    server.manifest(
        "lab/app",
        Some("1"),
        "application/vnd.docker.distribution.manifest.v1+json",
        manifest.as_bytes(),
    );
}

fn server(of: Registry) -> Server {
    let auth = match of {
        Registry::Login => Auth::Basic("user:hunter22".into()),
        Registry::NoSuchTag | Registry::PlainHttp | Registry::Schema1 => Auth::None,
    };
    let server = Server::start(Manner { auth, ..Manner::default() });
    if of == Registry::Schema1 {
        schema1(&server);
        return server;
    }
    let home = tempfile::tempdir().expect("temporary directory");
    let mut filled = command(home.path());
    filled.args(["convert", "--dest-creds", "user:hunter22", &layout("three-layers")]);
    let filled = filled.arg(format!("docker://{}/lab/app:1", server.address)).output().expect("runs");
    assert_eq!(filled.status.code(), Some(0), "{}", stderr(&filled));
    server
}

#[test]
fn what_mends_a_message_mends_it() {
    for message in messages::all() {
        let Seen::Registry(of) = message.seen else { continue };
        let server = server(of);
        let place = format!("docker://{}/lab/app:1", server.address);
        let home = tempfile::tempdir().expect("temporary directory");
        let words = message.mend.split(' ').map(|word| match word {
            "docker://HOST/NAME:TAG" => place.clone(),
            "USER:PASSWORD" => "user:hunter22".into(),
            word => word.to_owned(),
        });
        let words: Vec<String> = words.collect();
        let mended = command(home.path()).current_dir(home.path()).args(&words[1..]).output().expect("runs");
        assert_eq!(mended.status.code(), Some(0), "{}: {}", message.name, stderr(&mended));
        let checked = command(home.path())
            .current_dir(home.path())
            .args(["check", "mended.tar"])
            .output()
            .expect("runs");
        assert_eq!(checked.status.code(), Some(0), "{}: {}", message.name, stderr(&checked));
        // Without what the command gives, it fails as the other tool did.
        if of == Registry::Login {
            let refused = command(home.path()).args(["inspect", &place]).output().expect("runs");
            assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        }
    }
}

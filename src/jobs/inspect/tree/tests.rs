//! One view, drawn at several widths.

use std::collections::BTreeMap;

use snapbox::{IntoData, assert_data_eq, str};

use super::*;
use crate::jobs::inspect::table;

fn layer(digit: char, size: u64, shared: bool) -> Layer {
    Layer {
        digest: Some(format!("sha256:{}", digit.to_string().repeat(64))),
        diff_id: None,
        size: Some(size),
        media_type: None,
        member: None,
        created_by: Some("/bin/sh -c #(nop) COPY file:b1baf5312b800a2b9ade in / ".into()),
        instruction: Some("COPY file:b1baf5312b800a2b9ade in /".into()),
        predicate_type: None,
        shared,
        missing: false,
        changes: None,
    }
}

fn image(names: &[&str], digit: char) -> Entry {
    let id = format!("sha256:{}", digit.to_string().repeat(64));
    Entry {
        kind: "image",
        names: names.iter().map(ToString::to_string).collect(),
        digest: None,
        media_type: None,
        id: Some(id),
        platform: Some("linux/amd64".into()),
        created: Some("2026-11-29T01:48:33.282392703Z".into()),
        artifact_type: None,
        subject: None,
        size: Some(686_604),
        shared_size: 684_544,
        config: Some(Settings {
            entrypoint: vec!["/bin/app".into(), "--name".into(), "a b".into()],
            env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()],
            user: Some("1000".into()),
            ports: vec!["80/tcp".into(), "443/tcp".into()],
            labels: BTreeMap::from([("org.example.team".into(), "\x1b[2J".into())]),
            ..Settings::default()
        }),
        annotations: BTreeMap::new(),
        layers: vec![layer('c', 684_544, true), layer('e', 2_060, false)],
        manifests: Vec::new(),
    }
}

fn view(images: Vec<Entry>) -> View {
    View {
        version: 1,
        source: "three.tar".into(),
        form: "docker-archive",
        compression: None,
        size: Some(688_664),
        images,
    }
}

fn look(width: Option<usize>) -> Look {
    Look { color: false, width }
}

fn fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(line.chars().count() <= width, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn a_narrow_terminal_cuts_lines_and_shortens_digests() {
    let text = render(&view(vec![image(&["app:1"], 'd')]), look(Some(60)));
    fits(&text, 60);
    assert_data_eq!(
        text,
        str![[r#"
three.tar (docker-archive)  672.52 KiB of layers
└── app:1  image  linux/amd64  670.51 KiB, 668.50 KiB of it…
    ├── image ID    sha256:dddddddddddd
    ├── created     2026-11-29T01:48:33.282392703Z
    ├── entrypoint  /bin/app --name 'a b'
    ├── env         PATH=/usr/local/sbin:/usr/local/bin:/us…
    ├── user        1000
    ├── ports       80/tcp, 443/tcp
    ├── label       org.example.team=\x1b[2J
    ├── layer 0  cccccccccccc  668.50 KiB  shared  COPY fil…
    └── layer 1  eeeeeeeeeeee    2.01 KiB  COPY file:b1baf5…

"#]]
        .raw()
    );
}

#[test]
fn a_wide_terminal_has_room_for_digests_to_copy() {
    let text = render(&view(vec![image(&["app:1"], 'd')]), look(Some(100)));
    fits(&text, 100);
    assert!(text.contains(&format!("image ID    sha256:{}\n", "d".repeat(64))), "{text}");
    assert!(text.contains("layer 0  sha256:cccccccccccc  "), "{text}");
}

#[test]
fn a_pipe_gets_everything_whole() {
    let text = render(&view(vec![image(&["app:1"], 'd')]), look(None));
    assert!(
        text.contains(&format!("layer 0  sha256:{}  668.50 KiB  shared  COPY", "c".repeat(64))),
        "{text}"
    );
}

#[test]
fn colours_change_nothing_else() {
    for width in [60, 100] {
        let view = view(vec![image(&["app:1", "app:2"], 'd')]);
        let color = render(&view, Look { color: true, width: Some(width) });
        let mut parts = color.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        let plain = parts.fold(first, |out, part| out + part.split_once('m').map_or("", |(_, rest)| rest));
        assert_eq!(plain, render(&view, look(Some(width))));
    }
}

#[test]
fn several_images_are_a_table() {
    let names = ["app:1", "registry.example.com/team/with/a/long/path/app:1.2.3"];
    let index = Entry {
        kind: "index",
        id: None,
        digest: Some(format!("sha256:{}", "9".repeat(64))),
        platform: None,
        created: None,
        size: None,
        shared_size: 0,
        config: None,
        layers: Vec::new(),
        manifests: vec![image(&[], 'a'), Entry { platform: Some("linux/arm64".into()), ..image(&[], 'b') }],
        ..image(&["multi:1"], '0')
    };
    let view = view(vec![image(&names, 'd'), index]);
    let wide = table::render(&view, look(Some(160)));
    assert_data_eq!(wide, str![[r#"
three.tar (docker-archive)  672.52 KiB of layers
NAME                                                  KIND   PLATFORM           SIZE  LAYERS  ID                   CREATED
app:1                                                 image  linux/amd64  670.51 KiB       2  sha256:dddddddddddd  2026-11-29
registry.example.com/team/with/a/long/path/app:1.2.3
multi:1                                               index                                   sha256:999999999999
  └                                                   image  linux/amd64  670.51 KiB       2  sha256:aaaaaaaaaaaa  2026-11-29
  └                                                   image  linux/arm64  670.51 KiB       2  sha256:bbbbbbbbbbbb  2026-11-29

"#]].raw());
    let narrow = table::render(&view, look(Some(60)));
    fits(&narrow, 60);
    assert_data_eq!(
        narrow,
        str![[r#"
three.tar (docker-archive)  672.52 KiB of layers
NAME                          KIND   PLATFORM           SIZE
app:1                         image  linux/amd64  670.51 KiB
registry.example.com/team/w…
multi:1                       index
  └                           image  linux/amd64  670.51 KiB
  └                           image  linux/arm64  670.51 KiB

"#]]
        .raw()
    );
    let whole = table::render(&view, look(None));
    assert!(whole.contains(&format!("sha256:{}", "d".repeat(64))), "{whole}");
    assert!(whole.contains("2026-11-29T01:48:33.282392703Z"), "{whole}");
}

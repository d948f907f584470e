//! Sound cases that stand for public reports (`corpus/reports.toml`).

use super::{
    Content, DOCKER_CONFIG, Files, Image, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Storage, config,
    descriptor, docker_tar, gzip, index, items, layer, layout, manifest, named, plain, sha256, tagged,
    zstd_stored,
};

/// Images of two platforms that no index joins, without names: what Paketo's `run.oci` is.
pub fn platforms_listed() -> Content {
    let images = ["amd64", "arm64/v8"].map(|arch| Image::new(arch, &[layer("app", arch)], gzip, "+gzip"));
    let roots = images.each_ref().map(Image::child);
    Content::Folder(layout(&roots, images.iter().flat_map(Image::blobs)))
}

/// An index of two images that nothing else has.
pub fn one_index() -> Content {
    let images = ["amd64", "arm64/v8"].map(|arch| Image::docker(arch, &[layer("app", arch)]));
    let list = index(OCI_INDEX, &images.each_ref().map(Image::child));
    let mut storage = Storage::default();
    for image in &images {
        storage.image("lab/multi", image);
    }
    storage.manifest("lab/multi", &list);
    storage.tag("lab/multi", "1", &[&list]);
    Content::Folder(storage.0)
}

/// `cosign save` 3: the bundle refers to the image by its subject, and `index.json` lists the image alone.
pub fn cosign_3() -> Content {
    const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let image = Image::new("amd64", &[layer("app", "signed")], gzip, "+gzip");
    let text = br#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}"#;
    let bundle = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{OCI_MANIFEST}\",\"artifactType\":\"{BUNDLE}\",\"config\":{},\"layers\":[{}],\
         \"subject\":{}}}",
        descriptor("application/vnd.oci.empty.v1+json", b"{}", ""),
        descriptor(BUNDLE, text, ""),
        descriptor(OCI_MANIFEST, &image.manifest, "")
    );
    let kind = ",\"annotations\":{\"kind\":\"dev.cosignproject.cosign/image\"}";
    let roots = [descriptor(OCI_MANIFEST, &image.manifest, kind)];
    let mut blobs = image.blobs();
    blobs.extend([bundle.as_bytes(), text, b"{}"]);
    Content::Folder(layout(&roots, blobs))
}

/// `cosign save` 2: image and signature side by side, told apart by `kind`.
pub fn cosign_2() -> Content {
    let image = Image::new("amd64", &[layer("app", "signed")], gzip, "+gzip");
    let payload = format!(
        "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"lab/signed\"}},\"image\":{{\"docker-manifest-digest\":\
         \"sha256:{}\"}},\"type\":\"cosign container image signature\"}},\"optional\":null}}",
        sha256(&image.manifest)
    );
    let signing = config("", [payload.as_bytes()].into_iter());
    let signing = String::from_utf8_lossy(&signing).replace("\"os\":\"linux\"", "\"os\":\"\"").into_bytes();
    let simple = descriptor(
        "application/vnd.dev.cosign.simplesigning.v1+json",
        payload.as_bytes(),
        ",\"annotations\":{\"dev.cosignproject.cosign/signature\":\"MEUCIQ==\"}",
    );
    let signed = manifest(OCI_MANIFEST, OCI_CONFIG, &signing, [simple].into_iter(), "");
    let kind = |kind: &str| format!(",\"annotations\":{{\"kind\":\"dev.cosignproject.cosign/{kind}\"}}");
    let roots = [
        descriptor(OCI_MANIFEST, &image.manifest, &kind("image")),
        descriptor(OCI_MANIFEST, &signed, &kind("sigs")),
    ];
    let mut blobs = image.blobs();
    blobs.extend([payload.as_bytes(), &signing, &signed]);
    Content::Folder(layout(&roots, blobs))
}

/// `tar -C FOLDER -cf archive.tar .` over an unpacked docker-archive: `./` in front of every name.
pub fn dot_names() -> Content {
    let image = Image::new("amd64", &[layer("app", "dot")], plain, "");
    let config = format!("{}.json", sha256(&image.config));
    let file = format!("{}/layer.tar", sha256(&image.layers[0].0));
    let list = format!("[{}]", items(&config, &["lab/dot:1"], std::slice::from_ref(&file), str::to_owned));
    let members = [
        (format!("./{config}"), image.config),
        (format!("./{file}"), image.layers[0].0.clone()),
        ("./manifest.json".to_owned(), list.into_bytes()),
    ];
    Content::Tar(docker_tar(&members, 0o644, 0))
}

/// A manifest of an OCI image whose one layer has annotations.
fn annotated(stored: Vec<u8>, plain: Vec<u8>, suffix: &str, annotations: &str) -> Content {
    let config = config("amd64", [&plain[..]].into_iter());
    let rest = format!(",\"annotations\":{{{annotations}}}");
    let part = descriptor(&format!("{OCI_LAYER}{suffix}"), &stored, &rest);
    let manifest = manifest(OCI_MANIFEST, OCI_CONFIG, &config, [part].into_iter(), "");
    let roots = [descriptor(OCI_MANIFEST, &manifest, &named("docker.io/lab/lazy:1"))];
    Content::Folder(layout(&roots, [&config[..], &manifest, &stored]))
}

/// zstd:chunked: table of contents and footer in skippable frames behind the layer.
pub fn chunked() -> Content {
    let plain = layer("app", "chunked");
    let table = zstd_stored(format!("{{\"version\":1,\"entries\":[]}}{}", " ".repeat(256)).as_bytes());
    let mut stored = zstd_stored(&plain);
    let at = stored.len() + 8;
    let frame = |stored: &mut Vec<u8>, bytes: &[u8]| {
        stored.extend([0x50, 0x2a, 0x4d, 0x18]);
        stored.extend((bytes.len() as u32).to_le_bytes());
        stored.extend(bytes);
    };
    frame(&mut stored, &table);
    frame(&mut stored, &[&[0; 56][..], b"GNUlInUx"].concat());
    let annotations = format!(
        "\"io.github.containers.zstd-chunked.manifest-checksum\":\"sha256:{}\",\
         \"io.github.containers.zstd-chunked.manifest-position\":\"{at}:{}:{}:1\"",
        sha256(&table),
        table.len(),
        table.len() - 12
    );
    annotated(stored, plain, "+zstd", &annotations)
}

/// eStargz by its annotations.
pub fn estargz() -> Content {
    let plain = layer("app", "estargz");
    let annotations = format!(
        "\"containerd.io/snapshot/stargz/toc.digest\":\"sha256:{}\",\"io.containers.estargz.uncompressed-size\":\"{}\"",
        sha256(b"table of contents"),
        plain.len()
    );
    annotated(gzip(&plain), plain, "+gzip", &annotations)
}

/// What Docker 28 saves of an image of which all manifests and configs were pulled and the layers of one platform.
pub fn all_metadata() -> Content {
    let images =
        ["amd64", "arm64/v8", "s390x"].map(|arch| Image::new(arch, &[layer("app", arch)], gzip, "+gzip"));
    let list = index(OCI_INDEX, &images.each_ref().map(Image::child));
    let root = descriptor(OCI_INDEX, &list, &named("docker.io/lab/meta:1"));
    let mut files: Files = layout(&[root], [&list[..]]);
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", sha256(bytes));
    for image in &images {
        files.insert(blob(&image.manifest), image.manifest.clone());
        files.insert(blob(&image.config), image.config.clone());
    }
    let here = &images[0];
    let stored = &here.layers[0].0;
    files.insert(blob(stored), stored.clone());
    let item = items(&blob(&here.config), &["lab/meta:1"], &[blob(stored)], str::to_owned);
    files.insert("manifest.json".into(), format!("[{item}]").into_bytes());
    Content::Tar(super::tar_of(&files))
}

/// An index with an attestation of plain layers and a history that is too short, under Docker's config type nowhere: what
/// AWS Lambda refused.
pub fn provenance() -> Content {
    let image = Image::new("arm64/v8", &[layer("app", "lambda"), layer("lib", "lambda")], plain, "");
    let statement = format!(
        "{{\"_type\":\"https://in-toto.io/Statement/v0.1\",\"predicateType\":\"https://slsa.dev/provenance/v0.2\",\"subject\":\
         [{{\"name\":\"lambda\",\"digest\":{{\"sha256\":\"{}\"}}}}],\"predicate\":{{}}}}",
        sha256(&image.manifest)
    );
    let attesting = config("unknown", [statement.as_bytes()].into_iter());
    let attesting = String::from_utf8_lossy(&attesting).replace("\"os\":\"linux\"", "\"os\":\"unknown\"");
    let part = descriptor(
        "application/vnd.in-toto+json",
        statement.as_bytes(),
        ",\"annotations\":{\"in-toto.io/predicate-type\":\"https://slsa.dev/provenance/v0.2\"}",
    );
    let attestation = manifest(OCI_MANIFEST, OCI_CONFIG, attesting.as_bytes(), [part].into_iter(), "");
    let marked = format!(
        ",\"annotations\":{{\"vnd.docker.reference.digest\":\"sha256:{}\",\"vnd.docker.reference.type\":\
         \"attestation-manifest\"}},\"platform\":{{\"architecture\":\"unknown\",\"os\":\"unknown\"}}",
        sha256(&image.manifest)
    );
    let list = index(OCI_INDEX, &[image.child(), descriptor(OCI_MANIFEST, &attestation, &marked)]);
    let roots = [descriptor(OCI_INDEX, &list, &tagged("1"))];
    let mut blobs = image.blobs();
    blobs.extend([&list[..], &attestation, attesting.as_bytes(), statement.as_bytes()]);
    Content::Folder(layout(&roots, blobs))
}

/// Two Docker images whose names lie in two repositories of Docker Hub.
pub fn two_names() -> Content {
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    let mut list = Vec::new();
    for name in ["acme/a:1.0", "acme/b:1.0"] {
        let image = Image::of(
            "amd64",
            vec![(layer(name, name), layer(name, name))],
            (OCI_MANIFEST, DOCKER_CONFIG, OCI_LAYER),
        );
        let config = format!("{}.json", sha256(&image.config));
        let file = format!("{}.tar", sha256(&image.layers[0].0));
        list.push(items(&config, &[name], std::slice::from_ref(&file), str::to_owned));
        members.push((config, image.config));
        members.push((file, image.layers[0].0.clone()));
    }
    members.push(("manifest.json".into(), format!("[{}]", list.join(",")).into_bytes()));
    Content::Tar(docker_tar(&members, 0o644, 0))
}

/// An artifact whose empty config stands in its descriptor, too.
pub fn data_in_place() -> Content {
    let text = br#"{"spdxVersion":"SPDX-2.3"}"#;
    let artifact = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{OCI_MANIFEST}\",\"artifactType\":\"application/spdx+json\",\"config\":{},\
         \"layers\":[{}]}}",
        descriptor("application/vnd.oci.empty.v1+json", b"{}", ",\"data\":\"e30=\""),
        descriptor("application/spdx+json", text, "")
    );
    let roots = [descriptor(OCI_MANIFEST, artifact.as_bytes(), &tagged("1"))];
    Content::Folder(layout(&roots, [artifact.as_bytes(), text, b"{}"]))
}

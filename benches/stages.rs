//! The stages of the one pass, each by itself: `cargo bench --bench stages`. What a change of one of them costs is seen
//! here first; `peers.sh` is what counts.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock};

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use restow::blob::pipeline;
use restow::blob::stage::{Keep, Request};
use restow::codec::{self, Caps, Compression, Encoder, Lookahead};
use restow::digest::{Algorithm, Hasher};
use restow::layer::{LayerScan, Spool};
use restow::limits::Limits;
use restow::media::Codec;

const CAPS: Caps = Caps { bytes: 1 << 30, window_log: 27, empty_parts: 1_000 };

/// Entries of [`LAYER`].
const ENTRIES: usize = 20_000;

/// A layer of many small files, half of whose bytes are words and half are not.
static LAYER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut tar = tar::Builder::new(Vec::new());
    let mut state = 1u32;
    for n in 0..ENTRIES {
        let text: Vec<u8> = (0..1200)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if i % 2 == 0 { (state >> 24) as u8 } else { b"the layers of an image "[i % 23] }
            })
            .collect();
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let name = format!("usr/share/package-{}/file-{n}.txt", n / 50);
        tar.append_data(&mut header, name, &*text).expect("into memory");
    }
    tar.into_inner().expect("into memory")
});

fn packed(compression: Compression) -> Vec<u8> {
    let mut encoder = Encoder::new(compression, 2, Vec::new()).expect("a level");
    encoder.write_all(&LAYER).expect("into memory");
    encoder.finish().expect("into memory")
}

static GZIP: LazyLock<Vec<u8>> = LazyLock::new(|| packed(Compression::Gzip(3)));
static ZSTD: LazyLock<Vec<u8>> = LazyLock::new(|| packed(Compression::Zstd(3)));

fn main() {
    divan::main();
}

fn layer_bytes() -> BytesCount {
    BytesCount::new(LAYER.len())
}

#[divan::bench]
fn hash(bencher: Bencher) {
    bencher.counter(layer_bytes()).bench(|| {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        LAYER.chunks(codec::CHUNK).for_each(|chunk| hasher.update(chunk));
        hasher.finish()
    });
}

#[divan::bench(args = [Codec::Gzip, Codec::Zstd])]
fn decompress(bencher: Bencher, codec: Codec) {
    let stored = if codec == Codec::Gzip { &*GZIP } else { &*ZSTD };
    bencher.counter(layer_bytes()).bench(|| {
        codec::decode(codec, &mut Lookahead::new(stored.as_slice()), CAPS, &mut |_| Ok(())).expect("sound")
    });
}

#[divan::bench(args = [Compression::Gzip(1), Compression::Gzip(3), Compression::Gzip(6), Compression::Zstd(3)])]
fn compress(bencher: Bencher, compression: Compression) {
    bencher.counter(layer_bytes()).bench(|| packed(compression));
}

/// All stages of a check of one gzip layer, on as many threads as they take.
#[divan::bench]
fn pass(bencher: Bencher) {
    bencher.counter(layer_bytes()).bench(|| {
        let request =
            Request { size: GZIP.len() as u64, other: None, plain: true, plain_other: None, caps: CAPS };
        pipeline::run(&mut GZIP.as_slice(), request, Keep::Nothing, &mut io::sink(), None).expect("memory")
    });
}

#[divan::bench]
fn scan_layer(bencher: Bencher) {
    let (limits, spool) = (Limits::default(), Arc::new(Spool::in_directory(None)));
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| {
        let mut scan = LayerScan::new(&limits, &spool);
        LAYER.chunks(codec::CHUNK).for_each(|chunk| scan.push(chunk));
        scan.finish().expect("memory")
    });
}

/// As an outer archive is indexed: headers only, out of a file.
#[divan::bench]
fn index_tar(bencher: Bencher) {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(&LAYER).expect("written");
    let limits = restow::tar::Limits { extension_bytes: 1 << 20 };
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| {
        let mut entries = 0;
        restow::tar::index(&file, LAYER.len() as u64, limits, &mut |_| {
            entries += 1;
            std::ops::ControlFlow::Continue(())
        })
        .expect("read");
        assert_eq!(entries, ENTRIES);
    });
}

//! What an archive of very many images takes: an amount for each of them, and no more.

use super::bombs::measured;
use crate::common::layer_of;
use crate::layout::Bench;
use crate::scrubbed::storage::Storage;

/// Bytes that an image of three blobs may take in storage: eight files, a tag and what the graph knows of them. 6,500 were
/// measured; nearly half of that are texts, of which the allocator's share still grows at these sizes (from 5,000 images
/// to 20,000 it is 3,600 for an image).
const IMAGE: u64 = 7_000;
/// Images of the two storages.
const IMAGES: [usize; 2] = [1_500, 4_500];

/// From here on what a run takes grows by a step for each image. Nothing is shared, which is the worst.
#[test]
fn storage_takes_so_much_for_an_image() {
    let bench = Bench::new();
    let storage = Storage::new(&bench.dir.path().join("storage"));
    let place = format!("registry-storage:{}", storage.dir.display());
    let mut made = 0;
    let peaks = IMAGES.map(|images| {
        for i in made..images {
            let repository = format!("lab/app{}", i % 100);
            let layer = layer_of(&format!("file-{i}"), format!("{i}").as_bytes());
            let image = storage.image(&repository, &i.to_string(), &[layer]);
            storage.tag(&repository, &format!("v{i}"), &image.manifest);
        }
        made = images;
        let (code, said, peak) = measured(&bench, None, &["check", &place]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&format!("sound, {images} images")), "{said}");
        assert!(peak > 0, "the peak of memory was not seen");
        peak
    });
    let each = peaks[1].saturating_sub(peaks[0]) / (IMAGES[1] - IMAGES[0]) as u64;
    assert!(each < IMAGE, "an image takes {each} bytes, of {} and {} in all", peaks[0], peaks[1]);
    // As many bytes as a graph of them cannot do without: else the peaks were not those of the program.
    assert!(each > 500, "an image takes {each} bytes, of {} and {} in all", peaks[0], peaks[1]);
}

//! Where it is written what an entry of formats.md H says: the section of a specification, or of
//! docs/formats.md where the fault is against what tools write or read rather than against a specification.

use crate::finding::Rule;

/// Entries and their sources; several sources are parted by semicolons. An entry without a source stands for something
/// that is legal, and its rule's page says why it is told.
const SOURCES: &[(&[u16], &str)] = &[
    // Archive structure.
    (&[1], "formats.md 0.3"),
    (&[2], "formats.md A.5"),
    (&[3, 5, 6, 7], "POSIX.1-2017 pax, ustar Interchange Format"),
    (&[4], "RFC 1952 2.2"),
    (&[8, 10, 14], "formats.md 0.5"),
    (&[9, 32], "formats.md A.7"),
    (&[11], "formats.md A.2"),
    (&[12, 13, 26, 27, 190, 191], "formats.md A.6"),
    (&[15], "formats.md A.3"),
    (&[16, 73], "OCI image-spec 1.1 image-layout, oci-layout file"),
    (&[17], "OCI image-spec 1.1 image-layout, index.json file"),
    (&[18, 85, 86, 96, 100], "OCI image-spec 1.1 image-layout, Blobs"),
    (&[19, 205, 206, 207, 208, 209, 210, 211], "formats.md A.1"),
    (&[20], "OCI image-spec 1.1 image-layout, Content"),
    (&[21], "formats.md E.5"),
    (&[22, 23, 24, 28, 29, 30, 193], "formats.md A.0"),
    (&[25], "formats.md A.4"),
    (&[31], "formats.md A.1; formats.md A.2; formats.md A.3"),
    (&[33], "formats.md 0.3"),
    // JSON.
    (&[34, 35], "RFC 8259 8.1"),
    (&[36], "RFC 8259 4"),
    (&[37], "formats.md D.9"),
    (&[38], "RFC 8259 2"),
    (&[39, 44], "OCI image-spec 1.1 considerations, Extensibility; formats.md 0.4"),
    (&[40, 41], "OCI image-spec 1.1, the JSON schemas of each document"),
    (&[42], "OCI image-spec 1.1 config, Properties"),
    (&[43], "RFC 8259 6"),
    (&[45], "formats.md 0.7"),
    (&[46], "RFC 8259 9; formats.md H.13"),
    // Indexes, manifests, layouts.
    (&[47], "OCI image-spec 1.1 manifest and image-index, schemaVersion"),
    (&[48], "OCI image-spec 1.1 manifest and image-index, mediaType; formats.md C.3"),
    (&[49], "OCI image-spec 1.1 manifest and image-index, mediaType; formats.md D.9"),
    (&[50], "OCI image-spec 1.1 manifest and image-index, mediaType (CVE-2021-41190); formats.md D.9"),
    (&[51, 52, 72, 95], "OCI image-spec 1.1 image-index, manifests"),
    (&[53, 58, 138], "OCI image-spec 1.1 manifest, config"),
    (&[54, 55, 60], "OCI image-spec 1.1 manifest, layers"),
    (&[56], "OCI image-spec 1.1 manifest, artifactType"),
    (&[57], "RFC 6838 4.2"),
    (&[59, 62], "formats.md C.1"),
    (&[61, 236], "formats.md C.5"),
    (&[63], "OCI image-spec 1.1 layer, Non-Distributable Layers"),
    (&[64, 65, 98], "OCI image-spec 1.1 manifest, subject"),
    (&[66, 94], "OCI image-spec 1.1 manifest, Guidance for an Empty Descriptor"),
    (&[67], "formats.md D.1"),
    (&[68], "formats.md C.3"),
    (&[69], "formats.md C.4; formats.md C.5"),
    (&[70, 71, 102, 141], "OCI image-spec 1.1 image-index, manifests"),
    (&[74], "OCI image-spec 1.1 image-layout, oci-layout file; formats.md D.8"),
    (&[75, 195], "formats.md D.13"),
    (&[76, 214, 215, 216, 217, 218, 219, 220], "formats.md C.2"),
    // Descriptors and blobs.
    (&[77, 82, 83, 91, 92], "OCI image-spec 1.1 descriptor, Properties"),
    (&[78], "OCI image-spec 1.1 descriptor, Digests"),
    (&[79, 80, 81], "OCI image-spec 1.1 descriptor, Registered algorithms"),
    (&[84], "OCI image-spec 1.1 descriptor, Verification"),
    (&[87, 88], "OCI image-spec 1.1 descriptor, Embedded Content"),
    (&[89, 90], "OCI image-spec 1.1 descriptor, urls"),
    (&[93], "formats.md A.3.1"),
    // The graph.
    (&[97, 198], "formats.md A.3.2"),
    (&[99], "OCI image-spec 1.1 descriptor"),
    (&[101], "formats.md D.3"),
    (&[103, 104, 105, 146], "formats.md F.1"),
    (&[106], "formats.md F.2"),
    (&[107], "OCI distribution-spec 1.1, Referrers Tag Schema; formats.md F.3"),
    (&[108, 201, 203], "OCI image-spec 1.1 annotations, Pre-Defined Annotation Keys"),
    (&[109], "formats.md H.13"),
    // Configs.
    (&[110, 111, 112], "OCI image-spec 1.1 config, rootfs"),
    (&[113, 139], "OCI image-spec 1.1 config, Layer DiffID"),
    (&[114, 115, 116], "OCI image-spec 1.1 config, history; formats.md B.4"),
    (&[117, 118], "OCI image-spec 1.1 config, created; RFC 3339 5.6"),
    (&[119], "OCI image-spec 1.1 config, Properties"),
    (&[120, 121], "OCI image-spec 1.1 config, architecture and os; formats.md D.6"),
    (&[122], "formats.md D.13"),
    (&[123, 142, 147], "formats.md D.6"),
    (&[124], "OCI image-spec 1.1 config, os.version"),
    (&[125, 126, 127, 128, 129, 130, 131, 132], "OCI image-spec 1.1 config, config; formats.md B.3"),
    (&[133], "OCI image-spec 1.1 annotations, Rules"),
    (&[134], "formats.md B.5"),
    (&[135], "OCI image-spec 1.1 config, Properties; formats.md B.3"),
    (&[136], "OCI image-spec 1.1 config, ArgsEscaped"),
    (&[137], "formats.md B.2"),
    (&[140], "formats.md 0.7"),
    // Platforms.
    (&[143], "OCI image-spec 1.1 image-index, Platform Variants; formats.md D.6"),
    (&[144, 145], "OCI image-spec 1.1 image-index, manifests"),
    // Layers.
    (&[148], "OCI image-spec 1.1 layer, `+gzip` and `+zstd` Media Types"),
    (&[149, 150, 151], "RFC 1952 2.2; RFC 8878 3; formats.md D.10.3"),
    (&[152, 153], "formats.md D.10.3"),
    (&[154], "OCI image-spec 1.1 media-types; formats.md D.10.3"),
    (&[155, 177], "formats.md D.10.2"),
    (&[156], "formats.md D.1"),
    (&[157], "formats.md H.13"),
    (&[158], "RFC 1952 2.3"),
    (&[159], "OCI image-spec 1.1 layer; POSIX.1-2017 pax, ustar Interchange Format"),
    (&[160], "OCI image-spec 1.1 layer, Distributable Format"),
    (&[161, 162, 163, 164, 174, 175, 185, 186, 187, 189], "formats.md D.10.1"),
    (&[165, 166], "OCI image-spec 1.1 layer, Hardlinks; formats.md D.10.1"),
    (&[167], "OCI image-spec 1.1 layer, File Types"),
    (&[168, 169, 170, 171, 172, 173], "OCI image-spec 1.1 layer, Whiteouts; formats.md D.10.1"),
    (&[176, 182], "OCI image-spec 1.1 layer, File Attributes"),
    (&[178], "OCI image-spec 1.1 layer, File Attributes; formats.md D.10.1"),
    (&[179], "POSIX.1-2017 pax, pax Extended Header"),
    (&[180, 181, 188], "POSIX.1-2017 pax, ustar Interchange Format"),
    (&[183, 184], "formats.md D.10.2"),
    // Names and annotations.
    (&[192], "formats.md I; formats.md 0.7"),
    (&[194, 196], "OCI image-spec 1.1 annotations, Pre-Defined Annotation Keys; formats.md D.7"),
    (&[197], "formats.md A.3"),
    (&[199, 200, 202, 204], "OCI image-spec 1.1 annotations, Rules"),
    // What came before, storage, dir:.
    (&[212], "formats.md A.2.1"),
    (&[213], "formats.md A.2"),
    (&[221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231], "formats.md E.2"),
    (&[232, 233, 234, 235], "formats.md E.1"),
    // Limits.
    (&[237, 238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248], "formats.md H.13"),
];

/// Where it is written what an entry of formats.md H says: `OCI image-spec 1.1 descriptor, Digests`, `formats.md C.2`.
pub fn of_entry(entry: u16) -> impl Iterator<Item = &'static str> {
    SOURCES
        .iter()
        .filter(move |(entries, _)| entries.contains(&entry))
        .flat_map(|(_, sources)| sources.split("; "))
}

/// Where it is written what a rule checks, each source once, specifications of others first.
pub fn of_rule(rule: &Rule) -> Vec<&'static str> {
    let mut all: Vec<&str> = Vec::new();
    for source in rule.catalogue.iter().flat_map(|entry| of_entry(*entry)) {
        if !all.contains(&source) {
            all.push(source);
        }
    }
    all.sort_by_key(|source| source.starts_with("formats.md"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_one_row() {
        for entry in 1..=248 {
            let rows = SOURCES.iter().filter(|(entries, _)| entries.contains(&entry)).count();
            assert_eq!(rows, 1, "entry {entry}");
        }
    }

    #[test]
    fn a_rule_cites_specifications_first() {
        let all = crate::rules::all();
        let rule = all.iter().find(|rule| rule.name == "document/media-type-missing").expect("a rule");
        let sources = of_rule(rule);
        assert!(sources[0].starts_with("OCI image-spec"), "{sources:?}");
        assert!(all.iter().all(|rule| !of_rule(rule).is_empty()));
    }
}

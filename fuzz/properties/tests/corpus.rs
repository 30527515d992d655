//! The committed corpus of each target, and files damaged in every place, through the properties: what libFuzzer found
//! once stays found, on the stable toolchain and in seconds.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use xenon_fuzz_properties::ALL;

fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn the_corpus_holds() {
    for (target, property) in ALL {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "no corpus for {target}");
        for (name, data) in inputs {
            println!("{name}");
            property(&data);
        }
    }
}

#[test]
fn damaged_inputs_hold_too() {
    for (target, property) in ALL {
        for (_, data) in inputs(target) {
            // About two hundred places of each, whatever its length.
            let step = data.len() / 200 + 1;
            for at in (0..data.len()).step_by(step) {
                let mut damaged = data.clone();
                damaged[at] ^= 1 << (at % 8);
                property(&damaged);
                property(&data[..at]);
            }
        }
    }
}

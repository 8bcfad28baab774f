//! The fuzz targets on the seeds that are checked in, and on what fuzzing has found.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use puna_tests::fuzz::TARGETS;

fn folder(name: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz")
        .join(name)
        .join(target)
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

#[test]
fn the_seeds_are_those_of_the_builder() {
    for target in TARGETS {
        let (had, made) = (files(&folder("seeds", target.name)), (target.seeds)());
        let names: Vec<&String> = had.keys().collect();
        assert_eq!(
            had.len(),
            made.len(),
            "{}: {names:?}: run `cargo xtask fuzz --seeds`",
            target.name
        );
        for (name, bytes) in made {
            let same = had.get(&name) == Some(&bytes);
            assert!(
                same,
                "{}/{name} differs: run `cargo xtask fuzz --seeds`",
                target.name
            );
        }
        println!("{}: {} seeds", target.name, had.len());
    }
}

#[test]
fn every_seed_passes() {
    for target in TARGETS {
        for (name, bytes) in files(&folder("seeds", target.name)) {
            println!("{}/{name}", target.name);
            (target.run)(&bytes);
        }
    }
}

/// What once failed stays in `fuzz/found`, by target.
#[test]
fn what_was_found_stays_fixed() {
    for target in TARGETS {
        for (name, bytes) in files(&folder("found", target.name)) {
            println!("{}/{name}", target.name);
            (target.run)(&bytes);
        }
    }
}

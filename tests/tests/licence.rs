//! A model whose terms ask for acceptance opens when somebody has accepted them, and all others do.

use std::{fs, path::Path};

use puna_core::{
    gguf::Gguf,
    licence::{self, KNOWN, LicenceError},
    model::{Model, ModelError, ModelOptions},
};
use puna_kernels::WeightType;
use puna_tests::tiny::{Shape, Tiny};
use tempfile::TempDir;

fn tiny(keys: &[(&str, &str)]) -> Vec<u8> {
    let mut tiny = Tiny::new(Shape::of(WeightType::Q8_0));
    for (key, value) in keys {
        tiny.set(key, *value);
    }
    tiny.bytes()
}

/// The licence that a model asks for, if it does.
fn asked(keys: &[(&str, &str)]) -> Option<String> {
    match Model::from_gguf(Gguf::from_bytes(tiny(keys)).unwrap()) {
        Ok(_) => None,
        Err(ModelError::LicenceNotAccepted { id, .. }) => Some(id),
        Err(error) => panic!("{keys:?}: {error}"),
    }
}

#[test]
fn keys_and_names_tell_the_licence() {
    let license = "general.license";
    let named = "general.license.name";
    let name = "general.name";
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
    let cases: &[Case<'_>] = &[
        (&[], None),
        (&[(license, "apache-2.0")], None),
        (&[(license, "mit"), (name, "Llama 2 7B")], None),
        (&[(license, "something new")], None),
        (&[(license, "llama2")], Some("llama2")),
        (&[(license, "Llama-3.2")], Some("llama3.2")),
        (&[(license, "other"), (named, "llama3.1")], Some("llama3.1")),
        (&[(license, "other"), (named, "of my own")], None),
        (&[(license, "gemma")], Some("gemma")),
        (&[(name, "LLaMA v2")], Some("llama2")),
        (&[(name, "Llama-2-7b-chat-hf")], Some("llama2")),
        (&[("general.basename", "Meta-Llama-3")], Some("llama3")),
        (
            &[("general.base_model.0.name", "Llama 3.3 70B")],
            Some("llama3.3"),
        ),
        (&[(name, "llama-2-7b shape, random")], None),
        (&[(name, "TinyLlama 1.1B Chat v1.0")], None),
        (&[(name, "SmolLM2 135M Instruct")], None),
    ];
    for (keys, id) in cases {
        assert_eq!(asked(keys).as_deref(), *id, "{keys:?}");
        println!("{:12} {keys:?}", id.unwrap_or("opens"));
    }
}

#[test]
fn a_model_opens_once_its_licence_is_accepted() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.gguf");
    fs::write(&path, tiny(&[("general.license", "llama2")])).unwrap();
    let refused = |path: &Path| match Model::open(path) {
        Err(ModelError::LicenceNotAccepted { id, summary }) => {
            assert_eq!(id, "llama2");
            assert!(
                summary.contains("use-policy") && !summary.contains('\n'),
                "{summary}"
            );
            true
        }
        Err(error) => panic!("{error}"),
        Ok(_) => false,
    };
    assert!(refused(&path));
    let licence = licence::of(&Gguf::open(&path).unwrap(), Some(&path)).unwrap();
    let accepted = licence::accept(&licence, Some(&path), None, "Ada").unwrap();
    assert_eq!(
        (accepted.who.as_str(), accepted.version.as_deref()),
        ("Ada", Some("2023-07-18"))
    );
    assert!(accepted.when > 1_700_000_000);
    assert!(!refused(&path));
    assert_eq!(
        licence::accepted(&licence, Some(&path), None),
        Some(accepted)
    );

    // It holds for this model, this licence and this version.
    let other = folder.path().join("other.gguf");
    fs::copy(&path, &other).unwrap();
    assert!(refused(&other));
    let record = folder.path().join("m.gguf.licence-accepted.json");
    let text = fs::read_to_string(&record).unwrap();
    for (was, is) in [("2023-07-18", "2024-01-01"), ("llama2", "llama3")] {
        fs::write(&record, text.replace(was, is)).unwrap();
        assert!(refused(&path), "{is}");
    }
    fs::write(&record, "{").unwrap();
    assert!(refused(&path));
}

#[test]
fn what_cannot_be_written_beside_the_model_is_kept_in_the_apps_folder() {
    let folder = TempDir::new().unwrap();
    // No folder of this name can be made, for nobody: there is a file.
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    let licence = licence::of(
        &Gguf::from_bytes(tiny(&[("general.license", "gemma")])).unwrap(),
        None,
    )
    .unwrap();
    let path = blocked.join("m.gguf");
    let nowhere = licence::accept(&licence, None, None, "Ada");
    assert!(matches!(nowhere, Err(LicenceError::Nowhere { .. })));
    assert!(matches!(
        licence::accept(&licence, Some(&path), None, "Ada"),
        Err(LicenceError::Io { .. })
    ));
    let licences = folder.path().join("app/licences");
    licence::accept(&licence, Some(&path), Some(&licences), "Ada").unwrap();

    let options = ModelOptions {
        licences: Some(licences),
        ..ModelOptions::default()
    };
    let open = |keys: &[(&str, &str)], options| {
        Model::from_gguf_with(Gguf::from_bytes(tiny(keys)).unwrap(), options).is_ok()
    };
    let gemma = [("general.license", "gemma")];
    assert!(open(&gemma, &options));
    let elsewhere = ModelOptions::default();
    assert!(!open(&gemma, &elsewhere));
    assert!(!open(&[("general.license", "llama2")], &options));
}

#[test]
fn a_side_car_speaks_for_a_silent_file_only() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.gguf");
    let side_car = folder.path().join("m.gguf.licence.json");
    let id = |keys: &[(&str, &str)]| {
        fs::write(&path, tiny(keys)).unwrap();
        licence::of(&Gguf::open(&path).unwrap(), Some(&path)).map(|licence| licence.id)
    };
    fs::write(&side_car, r#"{"id": "llama3", "name": "x"}"#).unwrap();
    assert_eq!(id(&[]).as_deref(), Some("llama3"));
    assert!(matches!(
        Model::open(&path),
        Err(ModelError::LicenceNotAccepted { .. })
    ));
    fs::write(&side_car, r#"{"id": "mit"}"#).unwrap();
    assert_eq!(id(&[]).as_deref(), Some("mit"));
    assert_eq!(
        id(&[("general.license", "llama2")]).as_deref(),
        Some("llama2")
    );
    fs::write(&side_car, "[").unwrap();
    assert_eq!(id(&[]), None);
}

#[test]
fn what_a_file_says_of_its_licence_is_one_short_line() {
    let long = format!("\u{1b}[2J\n{}", "x".repeat(10_000));
    let keys = [
        ("general.license", long.as_str()),
        ("general.license.link", long.as_str()),
        ("general.license.name", long.as_str()),
    ];
    let licence = licence::of(&Gguf::from_bytes(tiny(&keys)).unwrap(), None).unwrap();
    let line = licence.summary();
    assert!(
        line.len() < 400 && !line.contains(char::is_control),
        "{line:?}"
    );
}

#[test]
fn the_table_has_one_row_for_each_licence() {
    for (i, known) in KNOWN.iter().enumerate() {
        assert!(
            KNOWN[..i].iter().all(|other| other.id != known.id),
            "{}",
            known.id
        );
        assert!(known.terms.starts_with("https://") && known.use_policy.starts_with("https://"));
        println!("{:9} {} {}", known.id, known.version, known.terms);
    }
}

//! What is written is read back, typed questions answer as documented, and split models are whole.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// A model with a value of every type and two tensors.
fn sample() -> Writer {
    let mut file = Writer::new();
    file.kv("u8", 8u8)
        .kv("i8", -8i8)
        .kv("u16", 16u16)
        .kv("i16", -16i16)
        .kv("u32", u32::MAX)
        .kv("i32", -32i32)
        .kv("f32", 0.5f32)
        .kv("bool", true)
        .kv("str", "naïve")
        .kv("u64", u64::MAX)
        .kv("i64", -64i64)
        .kv("f64", 0.25f64)
        .kv("strings", vec!["a", "", "ü"])
        .kv("floats", vec![1.0f32, -2.0])
        .kv("ints", vec![1i32, -2, 3])
        .kv("bools", vec![true, false])
        .kv("none", OwnedValue::Array(ValueType::F32, Vec::new()))
        .kv(
            "nested",
            OwnedValue::Array(
                ValueType::Array,
                vec![vec![1u8, 2].into(), vec!["x"].into()],
            ),
        )
        .tensor("a", GgmlType::Q4_0, &[64, 3], (0..108).collect())
        .tensor("b", GgmlType::F16, &[5], (0..10).collect());
    file
}

fn read(file: &Writer) -> Gguf {
    Gguf::from_bytes(file.to_bytes()).expect("the writer writes what the reader reads")
}

fn message<T: fmt::Debug>(result: Result<T, GgufError>) -> String {
    result.expect_err("must be refused").to_string()
}

#[test]
fn every_value_type_is_read_back() {
    for version in [2, 3] {
        let mut file = sample();
        let model = read(file.version(version));
        assert_eq!(model.version(), version);
        let mut again = Writer::new();
        for (key, value) in model.keys() {
            again.kv(key, value);
        }
        for t in model.tensors() {
            again.tensor(
                t.name(),
                t.ty(),
                &t.dims()[..t.n_dims()],
                model.bytes(t).to_vec(),
            );
        }
        assert_eq!(again.version(version).to_bytes(), file.to_bytes());
    }
}

#[test]
fn tensors_are_views_of_the_file() {
    for alignment in [8, 32, 4096] {
        let mut file = sample();
        let model = read(file.alignment(alignment));
        let a = model.tensor("a").expect("a is there");
        assert_eq!(
            (a.name(), a.ty(), a.dims(), a.n_dims()),
            ("a", GgmlType::Q4_0, [64, 3, 1, 1], 2)
        );
        assert_eq!(
            (a.n_elements(), a.n_rows(), a.row_bytes(), a.byte_len()),
            (192, 3, 36, 108)
        );
        assert_eq!(model.bytes(a), (0..108).collect::<Vec<u8>>());
        let b = model.tensor("b").expect("b is there");
        assert_eq!((b.ne(0), b.ne(1), b.ne(9)), (5, 1, 1));
        assert_eq!(b.offset(), 108u64.next_multiple_of(alignment.into()));
        assert_eq!(model.bytes(b), (0..10).collect::<Vec<u8>>());
        assert!(model.tensor("c").is_none());
        assert_eq!(model.tensor_bytes(), 118);
        assert_eq!(model.file_bytes(), file.to_bytes().len() as u64);
    }
}

#[test]
fn a_file_may_end_behind_its_last_tensor_or_without_tensors_behind_its_header() {
    let mut bytes = sample().to_bytes();
    let padding = 32 - 10;
    bytes.truncate(bytes.len() - padding);
    assert!(Gguf::from_bytes(bytes.clone()).is_ok());
    bytes.pop();
    assert_eq!(
        message(Gguf::from_bytes(bytes)),
        "gguf: tensor `b`: 10 bytes at offset 128 of the data, which has 137"
    );
    let mut vocab_only = Writer::new();
    let model = read(vocab_only.kv("general.architecture", "llama"));
    assert_eq!((model.tensors().len(), model.tensor_bytes()), (0, 0));
}

#[test]
fn integers_of_any_type_that_fits() {
    let model = read(&sample());
    assert_eq!(model.u32("u8").ok().flatten(), Some(8));
    assert_eq!(model.u32("u32").ok().flatten(), Some(u32::MAX));
    assert_eq!(model.u64("u64").ok().flatten(), Some(u64::MAX));
    assert_eq!(model.u64("u16").ok().flatten(), Some(16));
    assert_eq!(model.i32s("ints").ok().flatten(), Some(vec![1, -2, 3]));
    assert!(message(model.u32("i64")).ends_with("is -64, wanted u32"));
    assert!(message(model.u32("u64")).ends_with("is 18446744073709551615, wanted u32"));
    let error = message(model.u32s("ints"));
    assert!(error.starts_with("gguf: `ints[1]` at byte "), "{error}");
    assert!(error.ends_with(" is -2, wanted u32"), "{error}");
}

#[test]
fn other_typed_questions() {
    let model = read(&sample());
    assert_eq!(model.f32("f32").ok().flatten(), Some(0.5));
    assert_eq!(model.f32("f64").ok().flatten(), Some(0.25));
    assert_eq!(model.bool("bool").ok().flatten(), Some(true));
    assert_eq!(model.str("str").ok().flatten(), Some("naïve"));
    assert_eq!(model.f32s("floats").ok().flatten(), Some(vec![1.0, -2.0]));
    assert_eq!(model.f32s("none").ok().flatten(), Some(Vec::new()));
    let strings = model.require_strings("strings").expect("strings");
    assert_eq!(strings.len(), 3);
    assert_eq!(strings.collect::<Vec<_>>(), ["a", "", "ü"]);
    assert_eq!(model.kind("strings"), Some(Kind::ArrayOf(ValueType::Str)));
    assert!(matches!(model.u32("absent"), Ok(None)));
    assert!(matches!(model.strings("absent"), Ok(None)));
    assert_eq!(
        message(model.require_f32("absent")),
        "gguf: `absent` is missing"
    );
    assert!(message(model.bool("u8")).ends_with(" is u8, wanted bool"));
    assert!(message(model.u32("bool")).ends_with(" is bool, wanted u32"));
    assert!(message(model.f32("u32")).ends_with(" is u32, wanted f32"));
    assert!(message(model.strings("ints")).ends_with(" is array of i32, wanted array of str"));
    assert!(message(model.i32s("floats")).ends_with(" is array of f32, wanted array of i32"));
    assert!(message(model.str("nested")).ends_with(" is array of array, wanted str"));
}

#[test]
fn names_from_the_file_cannot_break_the_line() {
    let key = format!("a\nb\u{1b}[31m{}", "x".repeat(1000));
    let mut file = Writer::new();
    let error = message(Gguf::from_bytes(
        file.kv(key.as_str(), 1u8).kv(key, 1u8).to_bytes(),
    ));
    assert!(
        !error.contains(char::is_control) && error.len() < 200,
        "{error}"
    );
    assert!(
        error.starts_with("gguf: key `a\\nb\\u{1b}[31mxxx"),
        "{error}"
    );
}

#[test]
fn a_window_of_a_file_is_a_model_at_any_offset() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("in.zip");
    let model = sample().to_bytes();
    let mut file = b"other".to_vec();
    file.extend_from_slice(&model);
    file.extend_from_slice(b"more");
    fs::write(&path, &file).expect("write");

    let open = || fs::File::open(&path).expect("open");
    let map = Map::from_fd(open(), 5, model.len() as u64).expect("map");
    let window = Gguf::from_map(map).expect("read");
    let b = window.tensor("b").expect("b is there");
    assert_eq!(window.bytes(b), (0..10).collect::<Vec<u8>>());
    window.advise_willneed(b);
    assert!(window.check().is_ok());

    let too_long = Map::from_fd(open(), 5, file.len() as u64);
    assert_eq!(
        message(too_long),
        format!(
            "gguf: window of {0} bytes at byte 5 does not fit a file of {0} bytes",
            file.len()
        )
    );
    assert!(Map::from_fd(open(), u64::MAX, 2).is_err());
    assert!(Map::from_fd(open(), 9, 0).expect("empty window").is_empty());

    // Longer is fine, as when something is appended to a package; shorter is not.
    let writable = fs::File::options().write(true).open(&path).expect("open");
    writable.set_len(file.len() as u64 + 1).expect("grow");
    assert!(window.check().is_ok());
    writable.set_len(20).expect("cut");
    assert!(matches!(
        window.check(),
        Err(GgufError::Shrunk { had: 20, .. })
    ));
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let dir = tempfile::tempdir().expect("temporary folder");
    assert!(message(Gguf::open(dir.path())).ends_with(": not a regular file"));
    let absent = dir.path().join("absent.gguf");
    assert!(message(Gguf::open(&absent)).starts_with("gguf: cannot open "));
    let empty = dir.path().join("empty.gguf");
    fs::write(&empty, b"").expect("write");
    assert_eq!(
        message(Gguf::open(&empty)),
        "gguf: magic at byte 0 needs 4 bytes, 0 left"
    );
}

/// A shard with one tensor named `t{no}`.
fn shard(no: u16, count: u16, tensors: i32) -> Writer {
    let mut file = Writer::new();
    file.kv("split.no", no)
        .kv("split.count", count)
        .kv("split.tensors.count", tensors);
    file.tensor(format!("t{no}"), GgmlType::I8, &[4], vec![no as u8; 4]);
    file
}

fn shard_path(dir: &Path, no: u16) -> PathBuf {
    dir.join(format!("m-{:05}-of-00003.gguf", no + 1))
}

fn write_shards(dir: &Path) {
    for no in 0..3 {
        fs::write(shard_path(dir, no), shard(no, 3, 3).to_bytes()).expect("write");
    }
}

#[test]
fn a_split_model_is_one_model() {
    let dir = tempfile::tempdir().expect("temporary folder");
    write_shards(dir.path());
    let model = Gguf::open(&shard_path(dir.path(), 0)).expect("all shards");
    assert_eq!((model.n_shards(), model.tensors().len()), (3, 3));
    for no in 0..3 {
        let t = model
            .tensor(&format!("t{no}"))
            .expect("a tensor of each shard");
        assert_eq!(model.bytes(t), [no; 4]);
    }
    let maps = (0..3).map(|no| Map::from_bytes(shard(no, 3, 3).to_bytes()));
    assert_eq!(Gguf::from_maps(maps).expect("in memory").n_shards(), 3);
}

#[test]
fn a_split_model_that_is_not_whole_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let dir = dir.path();
    write_shards(dir);
    let first = shard_path(dir, 0);

    let error = message(Gguf::open(&shard_path(dir, 1)));
    assert_eq!(
        error,
        "gguf: `split.no` is 1: open the first shard of 3, whose number is 0"
    );
    assert_eq!(
        message(Gguf::from_bytes(shard(0, 3, 3).to_bytes())),
        "gguf: `split.count` is 3, 1 shards given"
    );

    fs::write(&first, shard(0, 3, 4).to_bytes()).expect("write");
    assert_eq!(
        message(Gguf::open(&first)),
        "gguf: `split.tensors.count` of shard 1 is 4, wanted 3"
    );
    fs::write(&first, shard(0, 3, 3).to_bytes()).expect("write");

    let third = shard_path(dir, 2);
    fs::write(&third, shard(1, 3, 3).to_bytes()).expect("write");
    let error = message(Gguf::open(&first));
    assert_eq!(error, "shard 3: gguf: `split.no` of shard 3 is 1, wanted 2");
    fs::write(&third, shard(2, 2, 3).to_bytes()).expect("write");
    let error = message(Gguf::open(&first));
    assert_eq!(
        error,
        "shard 3: gguf: `split.count` of shard 3 is 2, wanted 3"
    );
    fs::write(&third, Writer::new().to_bytes()).expect("write");
    assert_eq!(
        message(Gguf::open(&first)),
        "shard 3: gguf: `split.count` is missing"
    );
    fs::remove_file(&third).expect("remove");
    assert_eq!(
        message(Gguf::open(&first)),
        format!("gguf: shard 3 of 3 is missing: {}", third.display())
    );

    let renamed = dir.join("model.gguf");
    fs::rename(&first, &renamed).expect("rename");
    assert_eq!(
        message(Gguf::open(&renamed)),
        format!(
            "gguf: {} is shard 1 of 3, wanted a name that ends in -00001-of-00003.gguf",
            renamed.display()
        )
    );
}

#[test]
fn shards_may_not_share_a_tensor_name() {
    let mut second = Writer::new();
    second.kv("split.no", 1u16).kv("split.count", 2u16);
    second.tensor("t0", GgmlType::I8, &[1], vec![0]);
    let maps = [shard(0, 2, 2), second].map(|file| Map::from_bytes(file.to_bytes()));
    assert_eq!(
        message(Gguf::from_maps(maps)),
        "gguf: tensor `t0` of a later shard occurs a second time"
    );
}

#[test]
fn tensors_may_come_while_the_file_is_written() {
    let mut file = Writer::new();
    file.tensor("a", GgmlType::F16, &[3], (0..6).collect())
        .tensor_later("b", GgmlType::Q4_0, &[32, 2])
        .tensor("c", GgmlType::F16, &[1], vec![7, 8]);
    let mut whole = Vec::new();
    let b = |name: &str| {
        assert_eq!(name, "b");
        Ok((0..36).collect())
    };
    file.write_with(&mut whole, b).expect("memory takes it");
    let model = Gguf::from_bytes(whole).expect("a whole file");
    let tensor = |name: &str| model.bytes(model.tensor(name).expect("there")).to_vec();
    assert_eq!(tensor("b"), (0..36).collect::<Vec<u8>>());
    assert_eq!(tensor("c"), [7, 8]);

    let short = file.write_with(&mut Vec::new(), |_| Ok(vec![0; 35]));
    let said = short.expect_err("too short").to_string();
    assert!(said.contains("35") && said.contains("36"), "{said}");
    let said = file.write(&mut Vec::new()).expect_err("no bytes");
    assert!(said.to_string().contains("b has no bytes"), "{said}");
}

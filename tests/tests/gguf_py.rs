//! A file that gguf-py wrote (`tests/data/gguf_py.py`) reads as what was put into it.

use std::error::Error;
use std::path::Path;

use puna_core::gguf::{GgmlType, Gguf, Value};

#[test]
fn a_file_of_gguf_py_reads_as_it_was_written() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/gguf_py.gguf");
    let file = Gguf::open(&path)?;
    assert_eq!(file.version(), 3);
    assert_eq!(file.require_str("general.architecture")?, "llama");
    for (key, value) in [
        ("general.alignment", Value::U32(64)),
        ("test.u8", Value::U8(200)),
        ("test.i8", Value::I8(-100)),
        ("test.u16", Value::U16(60_000)),
        ("test.i16", Value::I16(-30_000)),
        ("test.u32", Value::U32(4_000_000_000)),
        ("test.i32", Value::I32(-2_000_000_000)),
        ("test.u64", Value::U64(18_000_000_000_000_000_000)),
        ("test.i64", Value::I64(-9_000_000_000_000_000_000)),
        ("test.f32", Value::F32(1.5)),
        ("test.f64", Value::F64(-2.25)),
        ("test.bool", Value::Bool(true)),
        ("test.str", Value::Str("Puna – пуна – 風")),
    ] {
        assert_eq!(file.get(key), Some(value), "{key}");
    }
    let strings: Vec<&str> = file.require_strings("test.strings")?.collect();
    assert_eq!(strings, ["", "a", "Ġthe", "風"]);
    assert_eq!(file.f32s("test.floats")?, Some(vec![0.0, -1.0, 1e30]));
    assert_eq!(file.i32s("test.ints")?, Some(vec![-1, 0, i32::MAX]));
    let Some(Value::Array(bools)) = file.get("test.bools") else {
        return Err("no array of bools".into());
    };
    let bools: Vec<Value<'_>> = bools.iter().collect();
    assert_eq!(bools, [true, false, true].map(Value::Bool));

    let shape = |name: &str| file.tensor(name).map(|t| (t.ty(), t.n_dims(), t.dims()));
    assert_eq!(shape("f32"), Some((GgmlType::F32, 2, [3, 2, 1, 1])));
    assert_eq!(shape("f16"), Some((GgmlType::F16, 1, [7, 1, 1, 1])));
    assert_eq!(shape("q8_0"), Some((GgmlType::Q8_0, 2, [64, 2, 1, 1])));
    let bytes = |name: &str| file.tensor(name).map(|t| file.bytes(t).to_vec());
    let ramp = (0..6u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    assert_eq!(bytes("f32"), Some(ramp));
    let halves = [0u16, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600];
    assert_eq!(
        bytes("f16"),
        Some(halves.into_iter().flat_map(u16::to_le_bytes).collect())
    );
    assert_eq!(bytes("q8_0"), Some((0..136).collect()));
    Ok(())
}

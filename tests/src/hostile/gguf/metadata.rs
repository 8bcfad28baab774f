//! Lies in the header and the metadata.

use puna_core::gguf::ValueType;

use super::raw::{FIRST, Raw, array, string, with_pair};
use crate::hostile::Case;

/// From the magic to the last value.
pub(super) fn cases() -> Vec<Case> {
    [header(), keys(), values(), nesting(), alignment()]
        .into_iter()
        .flatten()
        .collect()
}

fn header() -> Vec<Case> {
    let header = |version, n_tensors, n_kv| {
        let mut file = Raw {
            version,
            n_tensors,
            n_kv,
            ..Raw::new()
        }
        .bytes();
        file.resize(64, 0);
        file
    };
    vec![
        Case::refused("empty file", [], "magic at byte 0 needs 4 bytes, 0 left"),
        Case::refused(
            "cut in the magic",
            *b"GG",
            "magic at byte 0 needs 4 bytes, 2 left",
        ),
        Case::refused(
            "cut in the version",
            *b"GGUF\x03",
            "version at byte 4 needs 4 bytes, 1 left",
        ),
        Case::refused(
            "cut in n_tensors",
            *b"GGUF\x03\0\0\0\0\0",
            "n_tensors at byte 8 needs 8 bytes, 2 left",
        ),
        Case::refused(
            "cut in n_kv",
            *b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0",
            "n_kv at byte 16 needs 8 bytes, 0 left",
        ),
        Case::refused(
            "magic of GGML",
            *b"lmgg\x03\0\0\0",
            "magic at byte 0 is \"lmgg\"",
        ),
        Case::refused(
            "magic of control codes",
            *b"\x1b[2J\x03\0\0\0",
            "is \"\\x1b[2J\", wanted",
        ),
        Case::refused(
            "version 0",
            header(0, 0, 0),
            "version at byte 4 is 0, wanted 2 or 3",
        ),
        Case::refused(
            "version 1",
            header(1, 0, 0),
            "version at byte 4 is 1, wanted 2 or 3",
        ),
        Case::refused(
            "version 4",
            header(4, 0, 0),
            "version at byte 4 is 4, wanted 2 or 3",
        ),
        Case::refused(
            "version 2^32-1",
            header(u32::MAX, 0, 0),
            "version at byte 4 is 4294967295",
        ),
        Case::refused(
            "big-endian",
            header(3 << 24, 0, 0),
            "is 3 in big-endian order",
        ),
        Case::refused(
            "n_tensors 2^64-1",
            header(3, u64::MAX, 0),
            "n_tensors at byte 8 is 1844674",
        ),
        Case::refused(
            "n_tensors 1e9",
            header(3, 1_000_000_000, 0),
            "n_tensors at byte 8 is 100000",
        ),
        Case::refused(
            "n_kv 2^64-1",
            header(3, 0, u64::MAX),
            "n_kv at byte 16 is 18446744073709551",
        ),
        Case::refused(
            "n_kv 1e9 in a tiny file",
            header(3, 0, 1_000_000_000),
            "n_kv at byte 16 is 1000000000, at most 2 allowed here",
        ),
        Case::refused(
            "n_kv one too many",
            header(3, 0, 1),
            "metadata key 0: name at byte 24 is empty",
        ),
        Case::refused(
            "65,537 keys",
            Raw {
                n_kv: 65_537,
                pairs: vec![b'a'; 1 << 20],
                ..Raw::new()
            }
            .bytes(),
            "n_kv at byte 16 is 65537, at most 65536 allowed here",
        ),
    ]
}

fn keys() -> Vec<Case> {
    let bool_pair = |key: &[u8]| with_pair(key, ValueType::Bool, &[1]);
    let mut long = Raw::new().pair(b"key", 7, &[1]).bytes();
    let mut set_length = |len: u64| {
        long[FIRST..][..8].copy_from_slice(&len.to_le_bytes());
        long.clone()
    };
    let twice = Raw::new().pair(b"twice", 7, &[1]).pair(b"once", 7, &[1]);
    vec![
        Case::refused(
            "key length 2^63",
            set_length(1 << 63),
            "name length at byte 24 is 92233720",
        ),
        Case::refused(
            "key length 2^64-1",
            set_length(u64::MAX),
            "name length at byte 24 is 18446",
        ),
        Case::refused(
            "key of 65,536 bytes",
            bool_pair(&[b'k'; 65_536]),
            "is 65536, at most 65535",
        ),
        Case::refused(
            "key cut",
            set_length(1000),
            "name at byte 32 needs 1000 bytes, 8 left",
        ),
        Case::refused(
            "key empty",
            with_pair(b"", ValueType::U32, &[1, 0, 0, 0]),
            "metadata key 0: name at byte 24 is empty",
        ),
        Case::refused(
            "key not UTF-8",
            bool_pair(b"ke\xff"),
            "name at byte 34 is not UTF-8",
        ),
        Case::refused(
            "key with a NUL",
            bool_pair(b"k\0y"),
            "metadata key 0: name has a NUL at byte 33",
        ),
        Case::refused(
            "key twice",
            twice.pair(b"twice", 4, &[1, 0, 0, 0]).bytes(),
            "key `twice` at byte 59 occurs a second time",
        ),
    ]
}

fn values() -> Vec<Case> {
    let with_type = |ty: u32| Raw::new().pair(b"k", ty, &[0; 16]).bytes();
    let with_array =
        |of, n, elements: &[u8]| with_pair(b"k", ValueType::Array, &array(of, n, elements));
    let text_of = |len: u64| with_pair(b"k", ValueType::Str, &len.to_le_bytes());
    let bad_array = with_pair(
        b"k",
        ValueType::Array,
        &[13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    vec![
        Case::refused(
            "value type 13",
            with_type(13),
            "`k`: value type at byte 33 is 13, wanted 0 to 12",
        ),
        Case::refused(
            "value type 2^32-1",
            with_type(u32::MAX),
            "value type at byte 33 is 4294967295",
        ),
        Case::refused(
            "value cut",
            with_pair(b"k", ValueType::U64, &[0; 7]),
            "needs 8 bytes, 7 left",
        ),
        Case::refused(
            "value absent",
            with_pair(b"kk", ValueType::U8, &[]),
            "`kk`: value at byte 38 needs 1 bytes, 0 left",
        ),
        Case::refused(
            "bool 2",
            with_pair(b"k", ValueType::Bool, &[2]),
            "`k`: value at byte 37 is 2, wanted a bool",
        ),
        Case::refused(
            "bool 2 in an array",
            with_array(ValueType::Bool, 3, &[0, 1, 2]),
            "at byte 51 is 2, wanted a bool",
        ),
        Case::refused(
            "string of 1 TiB",
            text_of(1 << 40),
            "`k`: value at byte 45 needs 1099511627776 bytes, 0 left",
        ),
        Case::refused(
            "string of 2^64-1",
            text_of(u64::MAX),
            "needs 18446744073709551615 bytes, 0 left",
        ),
        Case::refused(
            "string not UTF-8",
            with_pair(b"k", ValueType::Str, &string(b"a\xc3")),
            "`k`: value at byte 46 is not UTF-8",
        ),
        Case::refused(
            "string not UTF-8 in an array",
            with_array(ValueType::Str, 1, &string(b"\x80")),
            "`k`: array element at byte 57 is not UTF-8",
        ),
        Case::refused(
            "array element type 13",
            bad_array,
            "`k`: element type at byte 37 is 13",
        ),
        Case::refused(
            "array of 2^61 x 8 bytes",
            with_array(ValueType::U64, 1 << 61, &[0; 64]),
            "`k`: array length at byte 41 is 2305843009213693952, at most 8",
        ),
        Case::refused(
            "array of 2^64-1 bytes",
            with_array(ValueType::U8, u64::MAX, &[0; 64]),
            "is 18446744073709551615, at most 64",
        ),
        Case::refused(
            "array of 2^61+1 x 8 bytes",
            with_array(ValueType::F64, (1 << 61) + 1, &[0; 64]),
            "at most 8",
        ),
        Case::refused(
            "array of 2^60 strings",
            with_array(ValueType::Str, 1 << 60, &[0; 64]),
            "`k`: array length at byte 41 is 1152921504606846976, at most 8",
        ),
        Case::refused(
            "array of 1e9 bools",
            with_array(ValueType::Bool, 1_000_000_000, &[0; 64]),
            "is 1000000000, at most 64",
        ),
        Case::refused(
            "array one element short",
            with_array(ValueType::U32, 3, &[0; 8]),
            "is 3, at most 2 allowed",
        ),
        Case::refused(
            "array of strings cut",
            with_array(ValueType::Str, 2, &string(b"abcdefgh")),
            "`k`: array element at byte 65 needs 8 bytes, 0 left",
        ),
    ]
}

/// An array in an array and so on, `depth` of them, the innermost empty.
fn nested(depth: usize) -> Vec<u8> {
    let mut value = array(ValueType::Array, 1, &[]).repeat(depth - 1);
    value.extend(array(ValueType::U8, 0, &[]));
    with_pair(b"k", ValueType::Array, &value)
}

fn nesting() -> Vec<Case> {
    let wide = array(ValueType::Array, 1 << 60, &[0; 24]);
    vec![
        Case::refused(
            "arrays nested 5 deep",
            nested(5),
            "`k`: array element at byte 85 nests arrays deeper than 4",
        ),
        Case::refused(
            "arrays nested 100,000 deep",
            nested(100_000),
            "nests arrays deeper than 4",
        ),
        Case::refused(
            "array of 2^60 arrays",
            with_pair(b"k", ValueType::Array, &wide),
            "is 1152921504606846976, at most 2",
        ),
        Case::loads("arrays nested 4 deep", nested(4)),
    ]
}

fn alignment() -> Vec<Case> {
    let align = |ty, value: &[u8]| with_pair(b"general.alignment", ty, value);
    let to = |alignment: u32| align(ValueType::U32, &alignment.to_le_bytes());
    vec![
        Case::refused(
            "alignment 0",
            to(0),
            "`general.alignment` at byte 53 is 0, wanted a power of two",
        ),
        Case::refused("alignment 4", to(4), "is 4, wanted a power of two from 8"),
        Case::refused("alignment 13", to(13), "is 13, wanted a power of two"),
        Case::refused("alignment 2^21", to(1 << 21), "is 2097152, wanted"),
        Case::refused(
            "alignment 2^31",
            to(1 << 31),
            "is 2147483648, wanted a power of two",
        ),
        Case::refused(
            "alignment a u64",
            align(ValueType::U64, &32u64.to_le_bytes()),
            "`general.alignment` at byte 53 is u64, wanted u32",
        ),
        Case::refused(
            "alignment a string",
            align(ValueType::Str, &string(b"32")),
            "is str, wanted u32",
        ),
        Case::refused(
            "alignment an array",
            align(ValueType::Array, &array(ValueType::U32, 1, &[32, 0, 0, 0])),
            "is array of u32, wanted u32",
        ),
        Case::loads("alignment 2^20", to(1 << 20)),
    ]
}

//! Lies about tensors and their data.

use puna_core::gguf::GgmlType;

use super::raw::{FIRST, Raw, with_tensor};
use crate::hostile::Case;

/// From the first tensor's name to the last byte of data.
pub(super) fn cases() -> Vec<Case> {
    [names(), shapes(), data()].into_iter().flatten().collect()
}

const F32: u32 = GgmlType::F32.number();
const Q4_0: u32 = GgmlType::Q4_0.number();

fn names() -> Vec<Case> {
    let named = |name: &[u8]| with_tensor(name, &[8], F32, 0, 32);
    let one = Raw::new()
        .tensor(b"twice", &[8], F32, 0)
        .tensor(b"once", &[8], F32, 32);
    let mut lying = named(b"t");
    lying[FIRST..][..8].copy_from_slice(&u64::MAX.to_le_bytes());
    vec![
        Case::refused(
            "tensor name of 65 bytes",
            named(&[b't'; 65]),
            "tensor 0: name length at byte 24 is 65, at most 64",
        ),
        Case::refused(
            "tensor name of 2^64-1 bytes",
            lying,
            "tensor 0: name length at byte 24 is 18446",
        ),
        Case::refused(
            "tensor name empty",
            named(b""),
            "tensor 0: name at byte 24 is empty",
        ),
        Case::refused(
            "tensor name with a NUL",
            named(b"t\0"),
            "tensor 0: name has a NUL at byte 33",
        ),
        Case::refused(
            "tensor name not UTF-8",
            named(b"\xf0\x9f"),
            "tensor 0: name at byte 32 is not UTF-8",
        ),
        Case::refused(
            "tensor name twice",
            one.tensor(b"twice", &[8], F32, 64).data(96).bytes(),
            "tensor `twice` at byte 97 occurs a second time",
        ),
        Case::loads("tensor name of 64 bytes", named(&[b't'; 64])),
    ]
}

fn shapes() -> Vec<Case> {
    let typed = |ty| with_tensor(b"t", &[256], ty, 0, 1024);
    let shaped = |dims: &[u64]| with_tensor(b"t", dims, F32, 0, 1024);
    let mut dims = shaped(&[8]);
    let mut n_dims = |n: u32| {
        dims[33..37].copy_from_slice(&n.to_le_bytes());
        dims.clone()
    };
    vec![
        Case::refused(
            "n_dims 0",
            n_dims(0),
            "tensor `t`: n_dims at byte 33 is 0, wanted 1 to 4",
        ),
        Case::refused(
            "n_dims 5",
            n_dims(5),
            "tensor `t`: n_dims at byte 33 is 5, wanted 1 to 4",
        ),
        Case::refused(
            "n_dims 2^32-1",
            n_dims(u32::MAX),
            "n_dims at byte 33 is 4294967295",
        ),
        Case::refused(
            "dimension 0",
            shaped(&[8, 0]),
            "tensor `t`: dimension 1 at byte 45 is 0, wanted 1 or more",
        ),
        Case::refused(
            "dimension -1",
            shaped(&[u64::MAX]),
            "tensor `t`: dimension 0 at byte 37 is -1",
        ),
        Case::refused(
            "product wraps to 0",
            shaped(&[1 << 32, 1 << 32]),
            "tensor `t`: size of [4294967296, 4294967296, 1, 1] F32 at byte 37",
        ),
        Case::refused(
            "product wraps to 8",
            shaped(&[8, (1 << 61) + 1, 1, 8]),
            "exceeds 2^63 bytes",
        ),
        Case::refused("product 2^63", shaped(&[1 << 62, 2]), "exceeds 2^63 bytes"),
        Case::refused("bytes wrap to 0", shaped(&[1 << 62]), "exceeds 2^63 bytes"),
        Case::refused(
            "bytes of blocks wrap",
            with_tensor(b"t", &[32 << 57], GgmlType::F64.number(), 0, 64),
            "exceeds 2^63 bytes",
        ),
        Case::refused(
            "padding wraps",
            shaped(&[(1 << 61) - 1]),
            "tensor `t`: 9223372036854775804 bytes at offset 0 of the data, which has 1024",
        ),
        Case::refused(
            "tensor type 4",
            typed(4),
            "tensor `t`: type at byte 45 is 4 (removed Q4_2), wanted a known type",
        ),
        Case::refused("tensor type 31", typed(31), "is 31 (removed Q4_0_4_4)"),
        Case::refused("tensor type 36", typed(36), "is 36 (removed IQ4_NL_4_4)"),
        Case::refused(
            "tensor type 999",
            typed(999),
            "tensor `t`: type at byte 45 is 999, wanted a known type",
        ),
        Case::refused(
            "tensor type -1",
            typed(u32::MAX),
            "type at byte 45 is 4294967295, wanted",
        ),
        Case::refused(
            "row not whole blocks",
            with_tensor(b"t", &[33, 32], Q4_0, 0, 1024),
            "tensor `t`: dimension 0 at byte 37 is 33, wanted a multiple of Q4_0's block of 32",
        ),
        Case::refused(
            "row shorter than a block",
            with_tensor(b"t", &[32, 8], GgmlType::Q6_K.number(), 0, 1024),
            "is 32, wanted a multiple of Q6_K's block of 256",
        ),
    ]
}

fn data() -> Vec<Case> {
    let at = |offset| with_tensor(b"t", &[8], F32, offset, 64);
    let two = |second| {
        Raw::new()
            .tensor(b"a", &[16], F32, 0)
            .tensor(b"b", &[8], F32, second)
    };
    let mut cut = with_tensor(b"t", &[8], F32, 0, 0);
    cut.truncate(cut.len() - 4);
    vec![
        Case::refused(
            "offset unaligned",
            at(8),
            "tensor `t`: offset at byte 49 is 8, wanted a multiple of 32",
        ),
        Case::refused(
            "offset 2^64-1",
            at(u64::MAX),
            "offset at byte 49 is 18446744073709551615",
        ),
        Case::refused(
            "offset and size wrap",
            at(u64::MAX - 31),
            "tensor `t`: 32 bytes at offset 18446744073709551584 of the data, which has 64",
        ),
        Case::refused(
            "offset past the end",
            at(96),
            "tensor `t`: 32 bytes at offset 96 of the data, which has 64",
        ),
        Case::refused(
            "data one byte short",
            with_tensor(b"t", &[8], F32, 0, 31),
            "tensor `t`: 32 bytes at offset 0 of the data, which has 31",
        ),
        Case::refused(
            "no data",
            with_tensor(b"t", &[8], F32, 0, 0),
            "of the data, which has 0",
        ),
        Case::refused(
            "padding cut",
            cut,
            "tensor `t`: 32 bytes at offset 0 of the data, which has 0",
        ),
        Case::refused(
            "tensors overlap",
            two(32).data(96).bytes(),
            "tensor `b`: offset 32 lies inside tensor `a`, which ends at 64",
        ),
        Case::refused(
            "tensors at one place",
            two(0).data(96).bytes(),
            "lies inside tensor",
        ),
        Case::loads("tensors with a gap", two(96).data(128).bytes()),
    ]
}

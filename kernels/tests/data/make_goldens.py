#!/usr/bin/env python3
"""Writes the golden blocks of this folder with the PyPI package `gguf` (gguf.quants, numpy).

For every weight type T:
  T.blocks   random blocks, as GGUF stores them
  T.f32      what gguf.quants.dequantize makes of them, little-endian f32
and for every type that we can quantize to:
  rows.f32   rows of 32 numbers (shared by all)
  T.rounded  those rows as gguf.quants.quantize rounds them

Run it in this folder: `python3 make_goldens.py` (written with gguf 0.19.0).
"""
import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import quants

TYPES = {  # name: (weights and bytes per block, offsets of the halves, blocks)
    "F32": (1, 4, [], 64), "F16": (1, 2, [0], 64), "BF16": (1, 2, [], 64),
    "Q4_0": (32, 18, [0], 6), "Q4_1": (32, 20, [0, 2], 6), "Q5_0": (32, 22, [0], 6),
    "Q5_1": (32, 24, [0, 2], 6), "Q8_0": (32, 34, [0], 6), "Q2_K": (256, 84, [80, 82], 3),
    "Q3_K": (256, 110, [108], 3), "Q4_K": (256, 144, [0, 2], 3), "Q5_K": (256, 176, [0, 2], 3),
    "Q6_K": (256, 210, [208], 3), "IQ4_NL": (32, 18, [0], 6), "IQ4_XS": (256, 136, [0], 3),
}
rng = np.random.default_rng(20240229)

for name, (weights, size, halves, n) in TYPES.items():
    blocks = rng.integers(0, 256, (n, size), dtype=np.uint8)
    for at in halves:  # finite; the last block's are subnormal
        d = (rng.standard_normal(n) * 0.05).astype(np.float16)
        d[-1] = np.float16(3e-6)
        blocks[:, at:at + 2] = d.view(np.uint8).reshape(n, 2)
    if name == "F32":
        blocks = rng.standard_normal(n).astype(np.float32).view(np.uint8).reshape(n, size)
    elif name == "BF16":
        high = rng.standard_normal(n).astype(np.float32).view(np.uint32) >> 16
        blocks = high.astype(np.uint16).view(np.uint8).reshape(n, size)
    blocks.tofile(f"{name}.blocks")
    flat = blocks.reshape(1, -1)
    if name == "F32":
        out = flat.view(np.float32)
    elif name == "F16":
        out = flat.view(np.float16).astype(np.float32)
    else:
        out = quants.dequantize(flat, T[name])
    assert out.size == n * weights
    out.astype("<f4").tofile(f"{name}.f32")

rows = rng.standard_normal((8, 32)).astype(np.float32)
rows[1] *= 1e-7
rows[2] = np.round(rows[2] * 4) / 4
rows[3, ::2] = -np.abs(rows[3, ::2])
rows[4] = 0
rows[5] = np.linspace(-8, 7.5, 32)
rows[6] = np.abs(rows[6])
rows.astype("<f4").tofile("rows.f32")
for name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "BF16"]:
    quants.quantize(rows, T[name]).tofile(f"{name}.rounded")
rows.astype(np.float16).tofile("F16.rounded")

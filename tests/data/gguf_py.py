"""Writes gguf_py.gguf with gguf-py (PyPI: gguf): a file that our own writer had no part in."""

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

w = GGUFWriter("gguf_py.gguf", "llama")
w.add_custom_alignment(64)
for name, add, value in [
    ("u8", w.add_uint8, 200), ("i8", w.add_int8, -100),
    ("u16", w.add_uint16, 60000), ("i16", w.add_int16, -30000),
    ("u32", w.add_uint32, 4000000000), ("i32", w.add_int32, -2000000000),
    ("u64", w.add_uint64, 18000000000000000000), ("i64", w.add_int64, -9000000000000000000),
    ("f32", w.add_float32, 1.5), ("f64", w.add_float64, -2.25),
    ("bool", w.add_bool, True), ("str", w.add_string, "Puna – пуна – 風"),
]:
    add("test." + name, value)
w.add_array("test.strings", ["", "a", "Ġthe", "風"])
w.add_array("test.floats", [0.0, -1.0, 1e30])
w.add_array("test.ints", [-1, 0, 2147483647])
w.add_array("test.bools", [True, False, True])
w.add_tensor("f32", np.arange(6, dtype=np.float32).reshape(2, 3))
w.add_tensor("f16", np.arange(7, dtype=np.float16))
w.add_tensor("q8_0", np.arange(136, dtype=np.uint8).reshape(2, 68),
             raw_dtype=GGMLQuantizationType.Q8_0)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

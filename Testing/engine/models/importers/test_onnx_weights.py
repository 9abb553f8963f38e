"""The small reader of ONNX's weights gives what the package onnx gives, and refuses what is damaged."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.importers.onnx_weights import float_weights


def model(*tensors):
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 1, 4, 4))
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["x"])], "g", [image], [image], list(tensors))
    return helper.make_model(graph, producer_name="a test").SerializeToString()


def test_what_the_package_onnx_writes_is_read_alike():
    onnx = pytest.importorskip("onnx")
    from onnx import helper, numpy_helper

    random = np.random.default_rng(0)
    arrays = {
        "kernel": random.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "bias": random.normal(size=300).astype(np.float32),
        "number": np.float32(2.5).reshape(()),
        "nothing": np.zeros((0, 3), np.float32),
    }
    others = [
        numpy_helper.from_array(np.arange(4), "whole numbers"),
        helper.make_tensor("typed", onnx.TensorProto.FLOAT, (2,), [1.0, 2.0]),  # not as raw bytes
    ]
    content = model(*(numpy_helper.from_array(array, name) for name, array in arrays.items()), *others)
    weights = float_weights(content)
    assert set(weights) == set(arrays)
    for name, array in arrays.items():
        assert weights[name].shape == array.shape
        np.testing.assert_array_equal(weights[name], array)
    assert not weights["kernel"].flags.writeable


def varint(value):
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def test_packed_and_unpacked_sizes_and_fields_of_no_interest():
    values = np.arange(6, dtype="<f4")
    unpacked = b"\x08\x02\x08\x03"  # dims: 2, 3, one field each
    packed = field(1, b"\x03\x02")
    skipped = varint(15 << 3 | 5) + b"abcd" + varint(16 << 3 | 1) + b"abcdefgh" + varint(17 << 3) + b"\x07"
    tensors = [
        field(5, dims + b"\x10\x01" + field(8, name) + skipped + field(9, values.tobytes()))
        for dims, name in ((unpacked, b"a"), (packed, b"b"))
    ]
    weights = float_weights(skipped + field(7, b"".join(tensors)))
    np.testing.assert_array_equal(weights["a"], values.reshape(2, 3))
    np.testing.assert_array_equal(weights["b"], values.reshape(3, 2))


@pytest.mark.parametrize(
    "content",
    [
        b"not an ONNX file at all",
        b"\xff" * 40,
        varint(7 << 3 | 2) + varint(1000) + b"short",
        field(7, field(5, b"\x08\x05\x10\x01" + field(9, b"\0" * 8))),  # five numbers in eight bytes
        field(7, field(5, b"\x0b")),  # a group, which protobuf no longer has
    ],
)
def test_damaged_files_are_refused(content):
    with pytest.raises(InputError, match="^The file x is damaged, or no ONNX file.$"):
        float_weights(content, "The file x")


def test_a_file_that_ends_early_is_refused():
    values = np.ones(50, "<f4").tobytes()
    whole = field(7, field(5, b"\x08\x32\x10\x01" + field(8, b"a") + field(9, values)))
    assert float_weights(whole)["a"].sum() == 50
    for length in range(1, len(whole)):
        with pytest.raises(InputError):
            float_weights(whole[:length])

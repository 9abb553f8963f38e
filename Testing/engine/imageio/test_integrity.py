"""Files that end too early or hold damaged data are found before a reader makes something up."""

import gzip

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.integrity import check_whole


@pytest.fixture
def image():
    return sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 1000, (12, 20, 30)).astype(np.int16))


def refused(path) -> None:
    with pytest.raises(InputError, match=rf"{path.name}.*damaged or truncated"):
        check_whole(path)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mha"])
@pytest.mark.parametrize("missing", [1, 100, 5000])
def test_missing_bytes(tmp_path, image, ending, missing):
    path = tmp_path / f"v{ending}"
    sitk.WriteImage(image, str(path))
    check_whole(path)
    path.write_bytes(path.read_bytes()[:-missing])
    refused(path)


def test_a_header_alone_is_not_enough(tmp_path, image):
    sitk.WriteImage(image, str(tmp_path / "v.nii"))
    data = (tmp_path / "v.nii").read_bytes()
    for length in (100, 348, 352):
        (tmp_path / "v.nii").write_bytes(data[:length])
        refused(tmp_path / "v.nii")


def test_a_flipped_bit_in_compressed_data(tmp_path, image):
    path = tmp_path / "v.nii.gz"
    sitk.WriteImage(image, str(path))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    refused(path)


def test_gzip_as_other_programs_write_it(tmp_path, image):
    """Several members (bgzip), padding behind the last one, and no compression behind a compressed name."""
    sitk.WriteImage(image, str(tmp_path / "v.nii"))
    plain = (tmp_path / "v.nii").read_bytes()
    path = tmp_path / "v.nii.gz"
    for data in (
        b"".join(gzip.compress(plain[start : start + 1000]) for start in range(0, len(plain), 1000)),
        gzip.compress(plain) + b"\0" * 512,
        plain,
    ):
        path.write_bytes(data)
        check_whole(path)
    path.write_bytes(b"".join(gzip.compress(plain[start : start + 1000]) for start in range(0, 5000, 1000)))
    refused(path)


def test_members_that_end_at_the_edge_of_what_is_read_at_once(tmp_path, monkeypatch, image):
    from surgical_style_engine.imageio import gzip_bytes

    sitk.WriteImage(image, str(tmp_path / "v.nii"))
    plain = (tmp_path / "v.nii").read_bytes()
    first, second = gzip.compress(plain[:2000]), gzip.compress(plain[2000:])
    (tmp_path / "v.nii.gz").write_bytes(first + second)
    for size in (len(first) - 1, len(first), len(first) + 1):
        monkeypatch.setattr(gzip_bytes, "_CHUNK", size)
        check_whole(tmp_path / "v.nii.gz")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("place", [0, 777, -1])
def test_values_that_itk_would_turn_into_zero(tmp_path, monkeypatch, ending, dtype, place):
    from surgical_style_engine.imageio import gzip_bytes

    array = np.random.default_rng(0).normal(size=(12, 20, 30)).astype(dtype)
    path = tmp_path / f"v{ending}"
    for chunk in (101, 1 << 20):  # values cut in two by the end of a chunk
        monkeypatch.setattr(gzip_bytes, "_CHUNK", chunk)
        sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
        check_whole(path)
        for value in (np.nan, np.inf, -np.inf):
            spoiled = array.copy()
            spoiled.ravel()[place] = value
            sitk.WriteImage(sitk.GetImageFromArray(spoiled), str(path))
            with pytest.raises(InputError, match="NaN or infinite"):
                check_whole(path)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("components", [1, 3])
def test_meta_image_with_data_beside(tmp_path, compressed, components):
    shape = (12, 20, 30, components) if components > 1 else (12, 20, 30)
    array = np.random.default_rng(0).random(shape).astype(np.float32)
    image = sitk.GetImageFromArray(array, isVector=components > 1)
    path = tmp_path / "größe.mhd"
    sitk.WriteImage(image, str(path), useCompression=compressed)
    check_whole(path)
    raw = path.with_suffix(".zraw" if compressed else ".raw")
    raw.write_bytes(raw.read_bytes()[:-1])
    refused(path)
    raw.unlink()
    with pytest.raises(InputError, match="needs .* beside it"):
        check_whole(path)


@pytest.mark.parametrize(
    "text", ["ElementDataFile = LIST", "DimSize = a b\nElementType = MET_SHORT\nElementDataFile = LOCAL", "?"]
)
def test_meta_headers_that_do_not_say_what_there_is(tmp_path, text):
    (tmp_path / "v.mha").write_text(text + "\n")
    with pytest.raises(InputError, match="v.mha.*damaged header"):
        check_whole(tmp_path / "v.mha")


@pytest.mark.parametrize("progressive", [True, False])
def test_jpeg(tmp_path, progressive):
    colours = np.random.default_rng(0).integers(0, 255, (60, 70, 3)).astype(np.uint8)
    path = tmp_path / "p.jpg"
    Image.fromarray(colours).save(path, progressive=progressive)
    data = path.read_bytes()
    path.write_bytes(data + b"trailing notes of some program")
    check_whole(path)
    for part in (0.2, 0.7, 0.99):
        path.write_bytes(data[: int(len(data) * part)])
        refused(path)
    # A whole preview inside must not make up for the picture's missing end.
    marker = b"\xff\xe1" + (len(data) + 2).to_bytes(2, "big")
    path.write_bytes(data[:2] + marker + data + data[2 : int(len(data) * 0.8)])
    refused(path)


def test_dicom_files_pass(tmp_path):
    """They are looked at where their headers are read."""
    (tmp_path / "v.dcm").write_text("anything")
    check_whole(tmp_path / "v.dcm")

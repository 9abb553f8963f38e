from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from training_cli.training.config import load_config
from training_cli.training.data.dataset import Numbers, SampleByNumber, corner_at_edge, crop, is_constant, make_loader
from training_cli.training.data.prepare import prepare_data


@pytest.fixture
def prepared(tiny, discs, tmp_path):
    (tmp_path / "pairs.csv").write_text("data/source/a.nii.gz,data/target/a.nii.gz\n")
    config = load_config(None, tiny | {"pairs": tmp_path / "pairs.csv"})
    return prepare_data(config, tmp_path / "cache"), config


def test_a_sample_depends_on_its_number_alone(prepared):
    data, config = prepared
    for number in (0, 5, 17):
        a, b = SampleByNumber(data, config)[number], SampleByNumber(data, config)[number]
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(SampleByNumber(data, config)[0]["a"], SampleByNumber(data, config)[1]["a"])


def test_shapes_range_and_share_of_pairs(prepared):
    data, config = prepared
    samples = [SampleByNumber(data, config)[n] for n in range(60)]
    for sample in samples:
        assert sample["a"].shape == sample["b_clean"].shape == (3, 32, 32) and sample["weight"].shape == (1, 32, 32)
        assert sample["a"].min() >= -1 and sample["a"].max() <= 1
        assert bool(sample["weight"].any()) == bool(sample["paired"])
    share = np.mean([bool(s["paired"]) for s in samples])
    assert 0.6 < share < 0.95


def test_a_pair_stays_registered_under_augmentation(prepared):
    """Where the source disc is, the target disc is: their outlines agree after the shared spatial transform."""
    data, config = prepared
    for number in range(30):
        sample = SampleByNumber(data, config)[number]
        if sample["paired"]:
            a, b = sample["a_clean"][1] > -0.7, sample["b_clean"][1] > -0.7
            assert (a & b).sum() / (a | b).sum() > 0.95


def test_crop_fills_what_lies_outside():
    image = np.ones((1, 4, 4), np.float32)
    cut = crop(image, (-1, 2), 4)
    assert cut.shape == (1, 4, 4) and (cut[0, 0] == -1).all() and (cut[0, :, 2:] == -1).all() and cut[0, 1, 0] == 1


def test_processes_read_disjoint_numbers_and_resume_where_they_stopped():
    def first(process, start, count=3):
        return [n for _, batch in zip(range(count), Numbers(start, 2, process, 2), strict=False) for n in batch]

    assert sorted(first(0, 0) + first(1, 0)) == list(range(12))
    assert first(0, 2, 1) == first(0, 0)[4:6]


def test_worker_processes_give_the_same_batches(prepared):
    data, config = prepared
    alone = iter(make_loader(data, config, 3, 0, 1))
    helped = iter(make_loader(data, config.model_copy(update={"workers": 2}), 3, 0, 1))
    for _ in range(2):
        a, b = next(alone), next(helped)
        assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("paired", [False, True])
def test_no_patch_is_constant_even_where_the_body_is_small_and_far_out(tiny, discs, tmp_path, paired):
    """Specks in two opposite corners make a box larger than the patch, so that most patches would show nothing."""
    for side in ("source", "target"):
        for name in "ab":
            array = np.zeros((3, 120, 120), np.float32)
            array[:, 2:24, 2:24] = 500
            array[:, -3:, -3:] = 700
            sitk.WriteImage(sitk.GetImageFromArray(array), str(discs / side / f"{name}.nii.gz"))
    (discs / "source" / "c.nii.gz").unlink()
    (discs / "pairs.csv").write_text("source/a.nii.gz,target/a.nii.gz\n")
    change = {"pairs": discs / "pairs.csv", "pairs_fraction": 1.0} if paired else {}
    config = load_config(None, tiny | change)
    data = prepare_data(config, tmp_path / "cache")
    for number in range(60):
        sample = SampleByNumber(data, config)[number]
        assert bool(sample["paired"]) is paired
        for key in ("a", "b", "a_clean", "b_clean"):
            assert not is_constant(sample[key].numpy()), (number, key)


def test_the_strongest_edge_is_inside_its_patch():
    image = np.full((1, 50, 50), -1.0, np.float32)
    assert is_constant(image)
    image[0, 3, 47] = 1
    assert not is_constant(crop(image, corner_at_edge(image, 32), 32))
    image = np.full((1, 50, 50), -1.0, np.float32)
    image[0, :, 25:] = 0.5
    assert np.ptp(crop(image, corner_at_edge(image, 8), 8)) == 1.5

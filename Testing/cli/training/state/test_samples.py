from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from training_cli.training.state.samples import save_samples, to_rgb


class Add(torch.nn.Module):
    """Adds a constant, so that each column of a sample picture tells which networks it went through."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.value


def batches(count: int = 2) -> list[dict]:
    return [{"a": torch.full((1, 3, 8, 6), -0.5), "b": torch.full((1, 3, 8, 6), 0.25)} for _ in range(count)]


def grey(value: float) -> int:
    return round((value + 1) * 127.5)


def test_a_row_shows_both_ways_there_and_back(tmp_path):
    save_samples(tmp_path / "new" / "s.png", {"forward": Add(0.5), "backward": Add(-0.25)}, batches(), stack=3)
    picture = np.asarray(Image.open(tmp_path / "new" / "s.png"))
    assert picture.shape == (2 * 8, 6 * 6, 3)
    columns = [-0.5, 0.0, -0.25, 0.25, 0.0, 0.5]  # A, G(A), F(G(A)), B, F(B), G(F(B))
    assert [int(picture[3, 6 * i + 3, 0]) for i in range(6)] == [grey(value) for value in columns]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.png"]


def test_a_method_without_a_way_back_has_three_columns(tmp_path):
    save_samples(tmp_path / "s.png", {"forward": Add(0.5)}, batches(1), stack=3)
    assert np.asarray(Image.open(tmp_path / "s.png")).shape == (8, 3 * 6, 3)


def test_the_middle_slice_is_shown_grey_or_in_colour():
    stack = torch.stack([torch.full((2, 2), value) for value in (-1.0, 0.0, 1.0)])
    assert (to_rgb(stack, stack=3) == 128).all()
    colour = to_rgb(stack, stack=1)
    assert colour[0, 0].tolist() == [0, 128, 255]
    two_slices_aside = torch.cat([torch.zeros(3, 2, 2), stack, torch.zeros(3, 2, 2)])
    assert to_rgb(two_slices_aside, stack=3)[0, 0].tolist() == [0, 128, 255]


def test_values_beyond_the_range_are_clipped():
    assert to_rgb(torch.tensor([[[-3.0, 3.0]]]), stack=1)[0, :, 0].tolist() == [0, 255]


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        save_samples(tmp_path / "file" / "s.png", {"forward": Add(0)}, batches(1), stack=3)

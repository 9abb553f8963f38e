"""What cannot be adapted is one sentence, before anything is computed."""

import pytest
from adapting import head_pair
from tiny_models import make_tiny_many

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import load_model
from training_cli.adapt import request as module
from training_cli.adapt.request import checked


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "brain-mr-t1w-t2w"}, "that of a style that came with the program"),
        ({"name": "a b"}, "cannot be a model's name"),
        ({"targets": []}, "needs volumes of both sides"),
        ({"sources": [head_pair()[0]] * 2}, "Each source needs its target"),
        ({"minutes": 0.0}, "The minutes of training"),
        ({"pairs": 6}, "at most 5 pairs"),
    ],
)
def test_what_cannot_be_is_one_sentence(asked, changes, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        checked(asked(tmp_path, **changes))


def test_names_that_are_taken_synthetic_volumes_and_pictures_are_refused(asked, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="There is a folder mine"):
        checked(asked(tmp_path))
    source, target = head_pair()
    source.metadata["Synthetic"] = "yes"
    with pytest.raises(InputError, match="is synthetic"):
        checked(asked(tmp_path, name="other", sources=[source], targets=[target]))
    flat, same = (type(target)(target.array[:, 12:13], is_2d=True) for _ in range(2))
    with pytest.raises(InputError, match="too thin"):
        checked(asked(tmp_path, name="other", sources=[flat], targets=[same]))


def test_a_folder_that_cannot_be_written_is_told_before_the_training(asked, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="cannot be written; choose another one"):
        checked(asked(tmp_path / "file" / "styles"))


def test_without_torch_it_is_a_sentence(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "is_installed", lambda: False)
    with pytest.raises(InputError, match=r"needs PyTorch, which is not installed\.$"):
        checked(asked(tmp_path))


def test_a_style_for_many_contrasts_is_refused(asked, tmp_path):
    model = load_model(make_tiny_many(tmp_path / "many"))
    with pytest.raises(InputError, match="is for many contrasts, which cannot be adapted; take one for two of them"):
        checked(asked(tmp_path, model=model, direction="T1w>T2w"))

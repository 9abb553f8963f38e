"""Models are found by path and by name, and nothing is loaded to list them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from model_folders import leftovers, refusal

from surgical_style_engine.models import names as model_names
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model, verify_model
from surgical_style_engine.models.names import (
    check_free_name,
    find_model,
    list_models,
    remove_model,
    shipped_models_folder,
    user_models_folder,
)


class TestFinding:
    def test_by_path_wherever_it_is(self, good, monkeypatch):
        assert find_model(good) == find_model(str(good)) == good
        monkeypatch.chdir(good.parent)
        assert find_model("tiny") == Path("tiny") and load_model("tiny").card.name == "tiny"
        assert find_model("./tiny/") == Path("tiny")

    def test_by_name_in_the_users_folder(self, good, tmp_path, monkeypatch):
        monkeypatch.setenv("SST_MODELS", str(good.parent))
        monkeypatch.chdir(tmp_path)
        assert user_models_folder() == good.parent
        assert find_model("tiny") == good
        assert (good, read_card(good), "") in list_models()

    def test_the_users_folder_without_a_setting(self, tmp_path, monkeypatch):
        monkeypatch.delenv("SST_MODELS", raising=False)
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        assert user_models_folder() == tmp_path / ".surgical_style_transfer" / "models"

    @pytest.mark.parametrize("layout", ["clone", "wheel"])
    def test_shipped_models_lie_in_resources_or_in_the_package(self, good, tmp_path, monkeypatch, layout):
        """A clone (and Slicer's installed module) has Resources/Models beside the package, a wheel carries a copy."""
        package = tmp_path / "top" / "surgical_style_engine"
        package.mkdir(parents=True)
        place = package.parent / "Resources" / "Models" if layout == "clone" else package / "shipped_models"
        shutil.copytree(good, place / "shipped")
        monkeypatch.setattr(model_names, "__file__", str(package / "models" / "names.py"))
        monkeypatch.setenv("SST_MODELS", str(tmp_path / "none"))
        monkeypatch.chdir(tmp_path)
        assert shipped_models_folder() == place
        assert find_model("shipped") == place / "shipped"
        assert "came with the program" in refusal(remove_model, "shipped")
        assert (place / "shipped").is_dir()

    def test_this_clones_own(self):
        wanted = Path(model_names.__file__).parents[2] / "Resources" / "Models"
        if not wanted.is_dir():
            pytest.skip("this clone ships no model yet")
        assert shipped_models_folder() == wanted
        for folder, card, problem in list_models([wanted]):
            assert card is not None and not problem and card.name == folder.name

    def test_shipped_models_come_first(self, good, tmp_path):
        for parent in ("first", "second"):
            shutil.copytree(good, tmp_path / parent / "same")
        assert find_model("same", [tmp_path / "first", tmp_path / "second"]) == tmp_path / "first" / "same"

    def test_unknown_names_list_what_there_is(self, good, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert refusal(find_model, "other", [good.parent]) == "There is no model 'other'; there are: tiny."
        assert refusal(find_model, "other", [tmp_path]) == "There is no model 'other'; there are: none."
        assert refusal(find_model, "other", [tmp_path / "missing"]).endswith("none.")

    @pytest.mark.parametrize("name", ["../good/tiny", "sub/tiny", "..", ".", "", "/", "tiny/../tiny", "~/tiny"])
    def test_names_with_separators_are_paths_only(self, good, tmp_path, monkeypatch, name):
        """They are not joined to the folders of models, out of which they could lead, nor taken for their last part."""
        parent = tmp_path / "models"
        shutil.copytree(good, parent / "tiny")
        shutil.copytree(good, parent / "sub" / "tiny")
        shutil.copytree(good, tmp_path / "good" / "tiny")
        (tmp_path / "empty" / "cwd").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / "empty" / "cwd")
        sentence = refusal(find_model, name, [parent])
        assert "There is no model" in sentence or "is no model" in sentence

    @pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "\ud800"])
    def test_impossible_names(self, good, name):
        refusal(find_model, name, [good.parent])

    def test_a_folder_that_is_none(self, tmp_path):
        assert refusal(find_model, tmp_path) == f"The folder {tmp_path} is no model: it has no model.json."
        (tmp_path / "model.json").mkdir()
        assert "is no model" in refusal(read_card, tmp_path)

    def test_the_list_names_what_cannot_be_read(self, folder):
        shutil.copytree(folder, folder.parent / "broken")
        (folder.parent / "broken" / "model.json").write_text("{")
        (folder.parent / "no model").mkdir()
        (folder.parent / "file").write_text("")
        found = list_models([folder.parent])
        assert [(path.name, card is None, bool(problem)) for path, card, problem in found] == [
            ("broken", True, True),
            ("tiny", False, False),
        ]

    def test_listing_and_reading_cards_loads_no_torch(self, good):
        code = f"""
import sys
from pathlib import Path
from surgical_style_engine.models.folder import verify_model
from surgical_style_engine.models.names import list_models
verify_model(Path({str(good)!r}))
print(list_models([Path({str(good.parent)!r})])[0][1].name, "torch" in sys.modules)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
        )
        assert done.stdout == "tiny False\n", done.stderr


class TestRemoving:
    def test_only_the_named_one(self, folder):
        shutil.copytree(folder, folder.parent / "other")
        assert remove_model("tiny", [folder.parent]) == folder
        assert leftovers(folder.parent) == ["other"]
        assert "There is no model 'tiny'" in refusal(remove_model, "tiny", [folder.parent])

    def test_outside_the_models_folders_only_the_models_own_files_go(self, folder, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        shutil.copytree(folder, elsewhere / "plain")
        shutil.copytree(folder, elsewhere / "study")
        (elsewhere / "study" / "patient.nii.gz").write_bytes(b"precious")
        (elsewhere / "study" / "sub").mkdir()
        assert remove_model(elsewhere / "plain") == elsewhere / "plain"
        assert remove_model(elsewhere / "study") == elsewhere / "study"
        assert leftovers(elsewhere) == ["study"] and leftovers(elsewhere / "study") == ["patient.nii.gz", "sub"]

    def test_a_folder_with_another_programs_card_stays(self, tmp_path):
        (tmp_path / "model.json").write_text('{"name": "something else"}')
        (tmp_path / "data.csv").write_text("precious")
        assert "schema version" in refusal(remove_model, tmp_path)
        assert leftovers(tmp_path) == ["data.csv", "model.json"]

    def test_of_a_link_the_link_goes(self, folder, tmp_path):
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "alias").symlink_to(folder)
        assert remove_model("alias", [tmp_path / "models"]) == tmp_path / "models" / "alias"
        assert leftovers(tmp_path / "models") == [] and verify_model(folder)

    def test_a_link_to_a_shipped_model(self, good, tmp_path, monkeypatch):
        monkeypatch.setattr(model_names, "shipped_models_folder", lambda: good.parent)
        (tmp_path / "alias").symlink_to(good)
        assert "came with the program" in refusal(remove_model, "alias", [tmp_path])
        assert verify_model(good)


def test_another_model_cannot_take_a_shipped_ones_name(tmp_path):
    assert check_free_name("brain", tmp_path) == "brain"
    assert check_free_name("brain-mr-t1w-t2w", shipped_models_folder()) == "brain-mr-t1w-t2w"
    assert "brain-mr-t1w-t2w comes with the program" in refusal(check_free_name, "brain-mr-t1w-t2w", tmp_path)
    refusal(check_free_name, "../up", tmp_path)

"""The extension as Slicer's build takes it: catalogue entry, pictures, configuring, installing, running from there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)


def png_size(path):
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n", path
    return int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")


def entry():
    return json.loads((ROOT / "Resources" / "SurgicalStyleTransfer.json").read_text(encoding="utf-8"))


def cmake_text(name):
    """The text that the top CMakeLists.txt sets EXTENSION_... to."""
    return re.search(rf'set\(EXTENSION_{name} "([^"]+)"\)', (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))[1]


def test_the_catalogue_entry():
    """By the schema of Slicer's sources, version 1.0.2: its names, types and what is required."""
    kinds = {
        "$schema": str,
        "category": str,
        "scm_url": str,
        "scm_revision": str,
        "scm_type": str,
        "build_dependencies": list,
        "dicom_support_rule": str,
        "build_subdirectory": str,
        "enabled": bool,
        "tier": int,
    }
    said = entry()
    assert set(said) <= set(kinds) and {"$schema", "category", "scm_url", "dicom_support_rule"} <= set(said)
    assert all(isinstance(value, kinds[key]) for key, value in said.items())
    assert said["$schema"] == SCHEMA and said["category"] == "Image Synthesis"
    assert said["build_dependencies"] == ["PyTorch"] and 1 <= said["tier"] <= 5
    assert said["scm_url"].startswith("https://") and said["scm_url"].endswith(".git")


def test_the_extension_is_suggested_for_what_the_shipped_styles_take():
    folders = [path.parent for path in (ROOT / "SurgicalStyleTransfer" / "Resources" / "Models").glob("*/model.json")]
    cards = [json.loads((folder / "model.json").read_text(encoding="utf-8")) for folder in folders]
    sides = [list(card["domains"].values()) if card["schema_version"] == 1 else card["domains"] for card in cards]
    modalities = {side["modality"] for of_card in sides for side in of_card}
    assert modalities == set(re.findall(r"Modality == '(\w+)'", entry()["dicom_support_rule"]))


def test_the_repository_has_one_name():
    """The catalogue entry says it: every address of the project in the tree is within that repository."""
    repository = entry()["scm_url"].removesuffix(".git")
    owner, name = repository.rsplit("/", 2)[1:]
    assert name == "Slicer" + re.search(r"^project\((\w+)\)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)[1]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("an unpacked archive, not a clone")
    address = re.compile(r"(?:github|githubusercontent)\.com[/:]([\w.-]*SurgicalStyleTransfer[\w.-]*)/([\w-]+)", re.I)
    places = {}
    for file in listed.stdout.split("\0"):
        path = ROOT / file
        if path.is_file() and path.suffix in {".md", ".txt", ".py", ".json", ".yml", ".yaml", ".cff", ".toml", ".html"}:
            for stated in address.findall(path.read_text(encoding="utf-8", errors="replace")):
                places.setdefault(stated, set()).add(file)
    assert set(places) == {(owner, name)}, places
    assert {"README.md", "CMakeLists.txt", "CONTRIBUTING.md", "CITATION.cff"} <= places[owner, name]


def test_contributors_are_one_list_of_names_and_organizations():
    from SurgicalStyleTransferLib.setup.contributors import contributors

    names = contributors()
    assert names and all(re.fullmatch(r"\S.* \(\S.*\)", name) for name in names), names
    assert "Resources/contributors.txt" in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "Resources/contributors.txt" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_what_the_build_reads_of_the_extension():
    """What Slicer 5.12's build knows beside 5.10's, and a CMake that 5.10's build machines have."""
    assert re.match(
        r"cmake_minimum_required\(VERSION 3\.20\.6\.\.\.3\.22\.6 FATAL_ERROR\)", (ROOT / "CMakeLists.txt").read_text()
    )
    assert len(cmake_text("KEYWORDS").split()) > 3 and ";" not in cmake_text("KEYWORDS")
    assert "\n" not in cmake_text("DESCRIPTION") and "Slicer" not in cmake_text("DESCRIPTION")


def test_the_requirements_are_where_slicers_template_has_them(slicer_app):
    from SurgicalStyleTransferLib.setup import dependencies

    path = ROOT / "SurgicalStyleTransfer" / "Resources" / "requirements.txt"
    path.read_text(encoding="ascii")  # Slicer's load_requirements reads it by the platform's encoding
    assert [str(entry) for entry in dependencies.requirements()] == ["safetensors>=0.4", "pydantic>=2.6"]


def test_icons_and_screenshots_are_where_the_extension_says():
    assert png_size(ROOT / "Resources" / "SurgicalStyleTransfer.png") == (128, 128)
    assert png_size(ROOT / "SurgicalStyleTransfer" / "Resources" / "Icons" / "SurgicalStyleTransfer.png") == (128, 128)
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    urls = [word.strip('")') for word in text.split() if "raw.githubusercontent.com" in word]
    assert len(urls) >= 3
    for url in urls:
        assert (ROOT / url.partition("/main/")[2]).is_file(), url


def test_pictures_are_light():
    """The catalogue and the README load them every time."""
    for path in (ROOT / "Resources" / "Screenshots").iterdir():
        assert path.stat().st_size < (1.5e6 if path.suffix == ".gif" else 4e5), path


def test_the_dependency_of_the_catalogue_is_that_of_cmake():
    assert 'set(EXTENSION_DEPENDS "PyTorch")' in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")


def cmake():
    beside = Path(sys.executable).with_name("cmake")
    return str(beside) if beside.exists() else shutil.which("cmake")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of the module after configuring and installing with CMake, Slicer's macros stood in for."""
    if cmake() is None:
        pytest.skip("cmake is not installed")
    folder = tmp_path_factory.mktemp("cmake")
    if os.name != "nt" and not (shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")):
        pytest.skip("a CMake project needs a C compiler")
    steps = (
        ["-S", str(ROOT), "-B", str(folder / "build"), f"-DSlicer_DIR={HERE / 'cmake_stand_in'}"],
        ["--install", str(folder / "build"), "--prefix", str(folder / "installed")],
    )
    for arguments in steps:
        said = subprocess.run([cmake(), *arguments], capture_output=True, text=True, timeout=300)
        assert said.returncode == 0, said.stdout + said.stderr
    return folder / "installed" / "lib" / "Slicer-5.12" / "qt-scripted-modules"


def test_everything_is_installed_and_nothing_of_the_tests(installed):
    assert (installed / "SurgicalStyleTransfer.py").is_file()
    assert (installed / "Resources" / "UI" / "SurgicalStyleTransfer.ui").is_file()
    assert (installed / "surgical_style_engine" / "networks" / "__init__.py").is_file()
    assert not (installed / "Testing").exists()


TRAINING = """
import pathlib, sys
installed = pathlib.Path(sys.argv[1])
sys.modules.update(dict.fromkeys(("typer", "rich", "matplotlib", "jinja2", "tensorboard", "nilearn")))
others = [entry for entry in sys.path if not (pathlib.Path(entry or ".") / "training_cli").exists()]
sys.path[:] = [str(installed), *others]
import surgical_style_engine, training_cli.adapt.tasks, training_cli.training.loop
from training_cli.training.methods import build, cyclegan, paired
for module in (surgical_style_engine, training_cli, paired):
    assert pathlib.Path(module.__file__).is_relative_to(installed), module.__file__
print("trains")
"""


def test_what_adapts_a_style_is_installed_beside_it_and_needs_nothing_of_the_command(installed):
    """PyTorch and two packages are asked for; the command's own are not."""
    assert not (installed / "training_cli" / "commands").exists()
    said = subprocess.run(
        [sys.executable, "-c", TRAINING, str(installed)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=installed.parent,
    )
    assert said.stdout.strip() == "trains", said.stdout + said.stderr


RUN = """
import pathlib, sys, tempfile
here, installed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path[:] = [entry for entry in sys.path if entry and pathlib.Path(entry).resolve() != here]
import slicer
sys.path.insert(0, str(here))
from slicer_stand_in import install
install(pathlib.Path(tempfile.mkdtemp()), installed)
import SurgicalStyleTransfer, surgical_style_engine, numpy
for module in (SurgicalStyleTransfer, surgical_style_engine):
    assert pathlib.Path(module.__file__).is_relative_to(installed), module.__file__
SurgicalStyleTransfer.SurgicalStyleTransferTest.delayDisplay = lambda self, message, *_: print(message)
SurgicalStyleTransfer.SurgicalStyleTransferTest().runTest()
from SurgicalStyleTransferLib import self_test
from SurgicalStyleTransferLib.setup import model_cards
from SurgicalStyleTransferLib.jobs.style_job import Plan
slicer.mrmlScene.Clear(0)
node = self_test.make_volume()
logic = SurgicalStyleTransfer.SurgicalStyleTransferLogic()
card = model_cards.read(pathlib.Path(sys.argv[3]))
result = logic.engine.process(Plan(node.GetID(), card, device="cpu"))
made = slicer.mrmlScene.GetNodeByID(result.output_id)
assert numpy.isfinite(slicer.util.arrayFromVolume(made)).all()
print("worker from", [line for line in logic.engine.client.log])
logic.engine.close()
print("made", made.GetName())
"""


def test_it_runs_from_where_it_was_installed(installed, slicer_app, tiny_folder):
    said = subprocess.run(
        [sys.executable, "-c", RUN, str(HERE), str(installed), str(tiny_folder / "tiny")],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=installed.parent,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert "made Head T2w (synthetic)" in said.stdout, said.stdout + said.stderr
    assert "Test passed" in said.stdout

"""The extension as Slicer's build takes it: catalogue entry, pictures, configuring, installing, running from there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
)


def png_size(path):
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n", path
    return int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")


def test_the_catalogue_entry():
    entry = json.loads((ROOT / "Resources" / "SurgicalStyleTransfer.json").read_text(encoding="utf-8"))
    known = {
        "$schema",
        "category",
        "scm_url",
        "scm_revision",
        "scm_type",
        "build_dependencies",
        "build_subdirectory",
        "enabled",
        "tier",
    }
    assert set(entry) <= known and {"$schema", "category", "scm_url"} <= set(entry)
    assert entry["$schema"] == SCHEMA and entry["category"] == "Image Synthesis"
    assert entry["build_dependencies"] == ["PyTorch"] and 1 <= entry["tier"] <= 5
    assert entry["scm_url"].startswith("https://") and entry["scm_url"].endswith(".git")


def test_icons_and_screenshots_are_where_the_extension_says():
    assert png_size(ROOT / "Resources" / "SurgicalStyleTransfer.png") == (128, 128)
    assert png_size(ROOT / "SurgicalStyleTransfer" / "Resources" / "Icons" / "SurgicalStyleTransfer.png") == (128, 128)
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    urls = [word.strip('")') for word in text.split() if "raw.githubusercontent.com" in word]
    assert len(urls) >= 3
    for url in urls:
        assert (ROOT / url.partition("/main/")[2]).is_file(), url


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

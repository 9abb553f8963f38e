"""What adapting a style needs: the training beside the module, PyTorch by the dialog, the rest by Slicer's question."""

import importlib.metadata
import re

import pytest
from packaging.requirements import Requirement

VERSIONS = {"numpy": "1.26.4", "SimpleITK": "2.3.1", "safetensors": "0.5", "pydantic": "2.11.1"}


@pytest.fixture
def world(slicer_app, module, monkeypatch):
    """Packages that are only claimed to be there, and what was asked to be installed."""
    from SurgicalStyleTransferLib.panel.dialogs import packages
    from SurgicalStyleTransferLib.setup import dependencies

    installed, calls = dict(VERSIONS), []

    def version(name):
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    def pip_ensure(requirements, constraints=None, requester=None):
        calls.append(([str(entry) for entry in requirements], constraints.read_text().split()))
        installed.update({entry.name: "9999" for entry in requirements})

    def install(choice, onnx=False):
        calls.append(choice)
        installed["torch"] = "2.6.0+cu124"

    monkeypatch.setattr(dependencies.importlib.metadata, "version", version)
    monkeypatch.setattr(slicer_app.packaging, "pip_ensure", pip_ensure)
    monkeypatch.setattr(dependencies, "install", install)
    monkeypatch.setattr(dependencies, "torch_exists", lambda: True)
    return packages, installed, calls


def test_pytorch_by_the_dialog_and_the_rest_held_to_it(world, monkeypatch):
    from SurgicalStyleTransferLib.setup import training

    packages, installed, calls = world
    asked = []

    def ask(dialog):
        asked.append(dialog)
        return packages.Choice(packages.TORCH)

    monkeypatch.setattr(packages.PackagesDialog, "ask", ask)
    assert "PyTorch, about 2 GB, which is not installed" in training.what_comes()
    assert packages.provide_training() is True
    assert len(asked) == 1 and not asked[0].processor.enabled and asked[0].graphics.checked
    assert calls[0].library is packages.TORCH
    names, held = calls[1]
    assert names == [str(training.ACCELERATE), str(training.MONAI)]
    assert held == ["numpy==1.26.4", "SimpleITK==2.3.1", "torch==2.6.0+cu124"], "none of them is replaced"
    assert training.missing() == [] and training.what_comes() == ""
    assert packages.provide_training() is False and len(calls) == 2
    del installed["monai"]
    assert "packages monai" in training.what_comes()


def test_without_consent_nothing_comes(world, monkeypatch):
    packages, _installed, calls = world
    monkeypatch.setattr(packages.PackagesDialog, "ask", lambda dialog: None)
    with pytest.raises(packages.InstallationError, match="Press Adapt again when it may be"):
        packages.provide_training()
    assert calls == []


def test_what_cannot_be_is_said(world, monkeypatch):
    from SurgicalStyleTransferLib.setup import dependencies, training

    assert training.why_never() == "" and (training.training_folder() / "training_cli" / "adapt").is_dir()
    monkeypatch.setattr(dependencies, "torch_exists", lambda: False)
    assert "no longer made for Macs" in training.why_never()
    monkeypatch.setattr(training, "training_folder", lambda: None)
    assert "did not come with this installation" in training.why_never()


def test_the_packages_are_those_of_the_project(slicer_app, module):
    """In the versions that the command needs, and nothing that it needs beyond is imported by the training."""
    from pathlib import Path

    from SurgicalStyleTransferLib.setup import training

    text = (Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)[1]
    listed = [Requirement(line) for line in re.findall(r'"([^"]+)"', block)]
    for requirement in (training.ACCELERATE, training.MONAI):
        assert requirement in listed

"""The dialog about packages: the right library is proposed, and nothing happens without Install."""

import importlib.metadata
import subprocess
import sys

import pytest


@pytest.fixture
def dialog(slicer_app, module, monkeypatch):
    """Make the dialog on a machine that is only claimed; what would be shown is not."""
    from SurgicalStyleTransferLib.panel.dialogs import packages

    def make(card=False, mac=False, installed=(), **arguments):
        versions = dict(installed)

        def version(name):
            if name not in versions:
                raise importlib.metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(packages.dependencies.importlib.metadata, "version", version)
        monkeypatch.setattr(packages.dependencies, "has_graphics_card", lambda: card)
        monkeypatch.setattr(packages.dependencies, "torch_exists", lambda: not mac)
        return packages.PackagesDialog(**arguments)

    return make


def labels(dialog):
    from PySide6 import QtWidgets

    return " ".join(label.text() for label in dialog.dialog._target.findChildren(QtWidgets.QLabel))


@pytest.mark.parametrize(
    ("machine", "library", "why"),
    [
        ({"card": True}, "torch", "A graphics card was found"),
        ({"card": False}, "openvino", "No graphics card was found"),
        ({"card": False, "openvino": False}, "torch", "runs with PyTorch only"),
        ({"card": True, "mac": True}, "openvino", "no longer made for Macs"),
    ],
)
def test_the_right_one_is_proposed(dialog, machine, library, why):
    shown = dialog(**machine)
    assert shown.choice().library.name == library and why in labels(shown)
    assert "about 2 GB" in shown.graphics.text and "about 60 MB" in shown.processor.text
    assert shown.processor.enabled == machine.get("openvino", True)
    assert shown.graphics.enabled == (not machine.get("mac", False))


def test_advanced_says_what_is_there_and_can_install_it_again(dialog):
    shown = dialog(installed={"torch": "2.6.0", "openvino": "2026.4"}.items(), installed_too=True)
    assert "torch 2.6.0, openvino 2026.4" in labels(shown) and not shown.choice().again
    shown.again.checked = True
    assert shown.choice().again


def test_a_folder_without_wheels_is_refused(dialog, tmp_path):
    from SurgicalStyleTransferLib.setup.dependencies import InstallationError

    shown = dialog()
    shown.wheels.text = str(tmp_path)
    with pytest.raises(InstallationError, match="holds no wheels"):
        shown.choice()
    (tmp_path / "openvino-1-py3-none-any.whl").touch()
    assert shown.choice().wheels == str(tmp_path)


def test_pip_takes_everything_from_the_folder_and_nothing_from_the_network(slicer_app, module, monkeypatch, tmp_path):
    """A real pip, on a wheel made here, with an index that does not exist."""
    import zipfile

    from packaging.requirements import Requirement

    from SurgicalStyleTransferLib.setup import dependencies

    wheels, target = tmp_path / "wheels", tmp_path / "site"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "sst_probe-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("sst_probe.py", "value = 7\n")
        wheel.writestr("sst_probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: sst-probe\nVersion: 1.0\n")
        wheel.writestr(
            "sst_probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("sst_probe-1.0.dist-info/RECORD", "")
    called = []

    def pip_install(arguments):
        called.append(arguments)
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--target", str(target), *arguments],
            check=True,
            env={"PIP_INDEX_URL": "http://127.0.0.1:9/none", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PATH": ""},
        )

    monkeypatch.setattr(slicer_app.util, "pip_install", pip_install)
    monkeypatch.setattr(dependencies, "requirements", lambda onnx=False: [])
    probe = Requirement("sst-probe>=1")
    monkeypatch.syspath_prepend(str(target))
    dependencies.install(dependencies.Choice(probe, str(wheels)))
    assert (target / "sst_probe.py").read_text() == "value = 7\n"
    assert called[0][-3:] == ["--no-index", "--find-links", str(wheels)]
    # What is there is installed again only where that was asked for.
    dependencies.install(dependencies.Choice(probe, str(wheels)))
    assert len(called) == 1


def test_cancel_installs_nothing(slicer_app, module, monkeypatch):
    import qt

    from SurgicalStyleTransferLib.panel.dialogs import packages
    from SurgicalStyleTransferLib.setup.dependencies import InstallationError

    monkeypatch.setattr(packages.dependencies, "missing", lambda *needs: [packages.OPENVINO])
    monkeypatch.setattr(packages.dependencies, "install", lambda *what: pytest.fail("installed without consent"))
    monkeypatch.setattr(qt.QDialog, "exec_", lambda dialog: 0, raising=False)
    with pytest.raises(InstallationError, match="Nothing was installed, as you chose"):
        packages.provide(openvino=True)


def test_shipped_styles_do_without_torch(slicer_app, module):
    """So that a computer without a graphics card needs 60 MB."""
    from pathlib import Path

    from SurgicalStyleTransferLib.setup import model_cards

    cards = model_cards.list_cards(Path("/nonexistent"))
    assert len(cards) >= 5 and all(card.runs_in_openvino for card in cards)

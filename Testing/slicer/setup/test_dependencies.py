"""Packages at Apply: asked for, declined, failed, installed; never what Slicer ships."""

import importlib.metadata
import shutil
import subprocess
import sys
import types

import pytest


@pytest.fixture
def world(slicer_app, module, monkeypatch):
    """A Python environment that is only claimed: versions by package name, and what was called."""
    from SurgicalStyleTransferLib.setup import dependencies

    state = types.SimpleNamespace(
        installed={"numpy": "1.26.4", "SimpleITK": "2.3.1"}, calls=[], dependencies=dependencies, torch="2.6.0"
    )

    def version(name):
        if name not in state.installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return state.installed[name]

    monkeypatch.setattr(dependencies.importlib.metadata, "version", version)

    class PyTorchUtilsLogic:
        # The signature of the PyTorch extension.
        def installTorch(
            self,
            askConfirmation=False,
            forceComputationBackend=None,
            torchVersionRequirement=None,
            torchvisionVersionRequirement=None,
        ):
            state.calls.append(("torch", askConfirmation, torchVersionRequirement, torchvisionVersionRequirement))
            if isinstance(state.torch, Exception):
                raise state.torch
            if state.torch is not None:
                state.installed["torch"] = state.torch
            return state.torch

        def uninstallTorch(self, askConfirmation=False, forceComputationBackend=None):
            state.calls.append("torch is removed")
            del state.installed["torch"]

    utils = types.SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", utils)

    def pip_ensure(requirements, constraints=None, requester=None):
        state.calls.append(("pip", [str(entry) for entry in requirements], constraints.read_text(), requester))
        if getattr(state, "pip", None) is not None:
            raise state.pip
        state.installed |= {entry.name: "9999" for entry in requirements}

    monkeypatch.setattr(slicer_app.packaging, "pip_ensure", pip_ensure)

    def pip_install(arguments):
        state.calls.append(("pip_install", arguments))
        if getattr(state, "pip", None) is not None:
            raise state.pip
        names = arguments[: arguments.index("-c")]
        state.installed |= {name.partition(">")[0]: "9999" for name in names}

    monkeypatch.setattr(slicer_app.util, "pip_install", pip_install)

    # The one dialog about packages, answered as "state.library" says; None cancels it.
    from SurgicalStyleTransferLib.panel.dialogs.packages import PackagesDialog

    state.library, state.asked = dependencies.TORCH, 0

    def ask(dialog):
        state.asked += 1
        return None if state.library is None else dependencies.Choice(state.library)

    monkeypatch.setattr(PackagesDialog, "ask", ask)
    return state


def test_nothing_is_installed_when_all_is_there(world):
    world.installed |= {"torch": "2.4.0+cu121", "safetensors": "0.5", "pydantic": "2.11.1"}
    assert world.dependencies.ensure() is False and world.calls == []


def test_all_is_installed_with_consent_and_slicers_own_versions_are_held(world):
    assert world.dependencies.ensure() is True
    assert world.calls[0] == ("torch", True, ">=2.4", ">=0.19")
    kind, names, constraints, requester = world.calls[1]
    assert kind == "pip" and [name.partition(">")[0] for name in names] == ["safetensors", "pydantic"]
    assert constraints == "numpy==1.26.4\nSimpleITK==2.3.1\n" and requester == "Surgical Style Transfer"
    assert world.dependencies.ensure() is False and len(world.calls) == 2


def test_installing_again_installs_pytorch_again_too(world):
    """The PyTorch extension leaves what is there, so that it is removed first."""
    world.installed |= {"torch": "2.4.0", "safetensors": "0.5", "pydantic": "2.11.1"}
    world.dependencies.install(world.dependencies.Choice(world.dependencies.TORCH))
    assert world.calls == []
    world.dependencies.install(world.dependencies.Choice(world.dependencies.TORCH, again=True))
    assert world.calls[:2] == ["torch is removed", ("torch", False, ">=2.4", ">=0.19")]
    assert world.installed["torch"] == "2.6.0"
    kind, arguments = world.calls[2]
    assert kind == "pip_install" and arguments[:2] == ["safetensors>=0.4", "pydantic>=2.6"]
    assert "--force-reinstall" in arguments and not any("torch" in word for word in arguments)
    # The other library alone leaves PyTorch as it is.
    world.calls.clear()
    world.dependencies.install(world.dependencies.Choice(world.dependencies.OPENVINO, again=True))
    assert [call[0] for call in world.calls] == ["pip_install"]


def test_requirements_name_nothing_that_slicer_ships(world):
    names = {entry.name.lower() for entry in world.dependencies.requirements(onnx=True)}
    assert names == {"safetensors", "pydantic", "onnxruntime"}


def test_old_packages_are_replaced_and_onnx_only_where_it_is_needed(world):
    world.installed |= {"torch": "2.6", "safetensors": "0.5", "pydantic": "1.10"}
    assert [entry.name for entry in world.dependencies.missing()] == ["pydantic"]
    assert [entry.name for entry in world.dependencies.missing(onnx=True)] == ["pydantic", "onnxruntime"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"torch": None}, "PyTorch was not installed, as you chose. Press Apply again when it may be."),
        ({"torch": ValueError("no such backend\nmore")}, "PyTorch could not be installed: no such backend. See"),
        (
            {"pip": RuntimeError("User declined")},
            "Python packages were not installed: User declined. Press Apply again",
        ),
        ({"pip": subprocess.CalledProcessError(1, "pip")}, "could not be installed (pip ended with 1)"),
    ],
)
def test_declined_or_failed(world, change, sentence):
    vars(world).update(change)
    with pytest.raises(world.dependencies.InstallationError) as raised:
        world.dependencies.ensure()
    assert sentence in str(raised.value) and "\n" not in str(raised.value)


def test_without_the_pytorch_extension_it_says_where_to_get_it(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(world.dependencies.InstallationError, match="Install the extension PyTorch in the Extensions"):
        world.dependencies.ensure()
    assert world.calls == []


def test_an_installation_that_changes_nothing_is_noticed(world, slicer_app, monkeypatch):
    monkeypatch.setattr(slicer_app.packaging, "pip_ensure", lambda *arguments, **named: None)
    with pytest.raises(world.dependencies.InstallationError, match="still missing.*pydantic.*Restart Slicer"):
        world.dependencies.ensure()


def test_slicer_before_5_12(world, slicer_app, monkeypatch):
    monkeypatch.delattr(slicer_app, "packaging")
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    asked, answer = [], [False]
    monkeypatch.setattr(slicer_app.util, "confirmOkCancelDisplay", lambda text: asked.append(text) or answer[0])
    installed = []

    def pip_install(arguments):
        installed.append(arguments[:-1])
        assert "numpy==1.26.4" in open(arguments[-1]).read()
        world.installed |= {"safetensors": "1", "pydantic": "3"}

    monkeypatch.setattr(slicer_app.util, "pip_install", pip_install)
    with pytest.raises(world.dependencies.InstallationError, match="it was declined"):
        world.dependencies.ensure()
    assert installed == [] and "safetensors" in asked[0]
    answer[0] = True
    assert world.dependencies.ensure() is True
    assert installed == [["safetensors>=0.4", "pydantic>=2.6", "-c"]]


def test_apply_shows_the_reason_and_changes_nothing(world, open_panel, volume, scene):
    world.library = None
    widget = open_panel()
    widget._parameterNode.inputVolume = volume()
    nodes = scene.GetNumberOfNodes()
    widget.ui.applyButton.click()
    assert "Nothing was installed, as you chose" in widget.ui.statusLabel.text and world.calls == []
    assert scene.GetNumberOfNodes() == nodes and widget.ui.applyButton.text == "Apply" and widget.ui.applyButton.enabled
    assert not widget.logic.engine.client.running


class TestWithoutTorch:
    """OpenVINO runs styles of the project's own network; on Macs there is nothing else."""

    @pytest.fixture
    def mac(self, world, monkeypatch):
        monkeypatch.setattr(world.dependencies.sys, "platform", "darwin")
        monkeypatch.setattr(world.dependencies.platform, "machine", lambda: "x86_64")
        return world

    def test_on_macs_openvino_is_installed_and_torch_is_not_asked_for(self, mac):
        assert not mac.dependencies.torch_exists()
        assert mac.dependencies.ensure(openvino=True) is True
        ((kind, names, constraints, _requester),) = mac.calls
        assert kind == "pip" and [name.partition(">")[0] for name in names] == ["safetensors", "pydantic", "openvino"]
        assert "numpy==1.26.4" in constraints
        assert mac.dependencies.ensure(openvino=True) is False

    def test_what_needs_torch_says_so_before_anything_is_downloaded(self, mac):
        with pytest.raises(mac.dependencies.InstallationError, match="no longer made for Macs as Slicer runs on them"):
            mac.dependencies.ensure()
        assert mac.calls == []

    def test_onnx_styles_need_neither_there(self, mac, module):
        from SurgicalStyleTransferLib.setup.model_cards import Card

        needs = mac.dependencies.needs_of(Card(None, "X", False, is_onnx=True))
        assert {entry.name for entry in mac.dependencies.missing(**needs)} == {"safetensors", "pydantic", "onnxruntime"}

    def test_elsewhere_torch_is_asked_for_unless_openvino_is_there(self, world):
        assert "torch" in [entry.name for entry in world.dependencies.missing(openvino=True)]
        world.installed["openvino"] = "2026.4"
        assert [entry.name for entry in world.dependencies.missing(openvino=True)] == ["safetensors", "pydantic"]
        assert "torch" in [entry.name for entry in world.dependencies.missing()]
        world.installed["torch"] = "2.6"
        assert not {"torch", "openvino"} & {entry.name for entry in world.dependencies.missing(openvino=True)}

    def test_one_question_and_openvino_runs_the_style(self, world, open_panel, volume, until):
        world.library = world.dependencies.OPENVINO
        widget = open_panel()
        widget._parameterNode.inputVolume = volume()
        widget._parameterNode.model = "tiny"
        widget.ui.applyButton.click()
        until(lambda: widget.logic.engine.style_job is None, "the end of the run")
        assert "slices in" in widget.ui.statusLabel.text and world.asked == 1
        ((kind, arguments),) = world.calls
        assert kind == "pip_install" and [name.partition(">")[0] for name in arguments[:3]] == [
            "openvino",
            "safetensors",
            "pydantic",
        ]
        assert "--no-index" not in arguments and widget.ui.fasterButton.isHidden()

    def test_where_torch_does_not_come_openvino_is_offered(self, world, open_panel, volume):
        world.torch = ValueError("no such backend")
        widget = open_panel()
        widget._parameterNode.inputVolume = volume()
        widget._parameterNode.model = "tiny"
        widget.ui.applyButton.click()
        assert "could not be installed: no such backend" in widget.ui.statusLabel.text
        assert world.calls == [("torch", False, ">=2.4", ">=0.19")], "asked once is enough"
        assert not widget.ui.fasterButton.isHidden() and "without PyTorch" in widget.ui.fasterButton.text

    def test_a_style_of_another_network_is_not_offered_it(self, world, open_panel, volume, tiny_folder, tmp_path):
        import json

        shutil.copytree(tiny_folder / "tiny", tmp_path / "other")
        card = json.loads((tmp_path / "other" / "model.json").read_text())
        card["architecture"]["name"] = "unet"
        (tmp_path / "other" / "model.json").write_text(json.dumps(card))
        world.torch = None
        widget = open_panel(folder=tmp_path)
        widget._parameterNode.inputVolume = volume()
        widget.ui.applyButton.click()
        assert "PyTorch was not installed" in widget.ui.statusLabel.text and widget.ui.fasterButton.isHidden()


def test_while_packages_are_installed_nothing_else_can_be_started(world, open_panel, volume, scene, monkeypatch):
    """Slicer handles events while pip works: a second click, a closed scene."""
    widget = open_panel()
    ui, states = widget.ui, []
    widget._parameterNode.inputVolume = volume()

    class PyTorchUtilsLogic:
        def installTorch(self, **options):
            buttons = (ui.applyButton, ui.fusionButton, ui.importButton)
            states.append((ui.statusLabel.text, [button.enabled for button in buttons], ui.applyButton.toolTip))
            widget.panel.apply.on_apply()
            widget.panel.style.import_style("anything.zip", {})
            assert len(states) == 1, "installed twice at the same time"
            scene.Clear(0)
            world.installed["torch"] = "2.6.0"
            return "2.6.0"

    monkeypatch.setattr(sys.modules["PyTorchUtils"], "PyTorchUtilsLogic", PyTorchUtilsLogic)
    ui.applyButton.click()
    text, enabled, tip = states[0]
    assert text.startswith("Installing packages") and enabled == [False] * 3 and tip == "Packages are being installed."
    assert widget.logic.engine.style_job is None and not widget.logic.engine.client.running
    widget.enter()
    assert ui.importButton.enabled and ui.fusionButton.enabled and not ui.applyButton.enabled
    widget._parameterNode.inputVolume = volume()
    assert ui.applyButton.enabled


class TestFasterOnTheCpu:
    """OpenVINO is offered where a run on the CPU went without it, and never needed."""

    @pytest.fixture
    def after_a_run(self, world, open_panel, volume, until):
        world.installed |= {"torch": "2.6", "safetensors": "0.5", "pydantic": "2.11.1"}

        def make(**installed):
            world.installed |= installed
            widget = open_panel()
            widget._parameterNode.inputVolume = volume()
            widget._parameterNode.model = "tiny"
            widget._parameterNode.device = "cpu"
            assert not widget.ui.fasterButton.visible
            widget.ui.applyButton.click()
            until(lambda: widget.logic.engine.style_job is None, "the end of the run")
            assert widget._parameterNode.resultVolume is not None, widget.ui.statusLabel.text
            return widget

        return make

    def test_offered_installed_and_gone(self, world, after_a_run):
        widget = after_a_run()
        assert not widget.ui.fasterButton.isHidden()
        widget.ui.fasterButton.click()
        kind, names, constraints, requester = world.calls[-1]
        assert (kind, names, requester) == ("pip", ["openvino>=2024.4"], "Surgical Style Transfer")
        assert constraints == "numpy==1.26.4\nSimpleITK==2.3.1\n"
        assert widget.ui.fasterButton.isHidden()
        assert widget.ui.statusLabel.text.startswith("OpenVINO is installed. The next Apply measures")
        assert not widget.logic.engine.client.running  # a worker that runs would not see it

    @pytest.mark.parametrize(
        ("failure", "sentence"),
        [
            (RuntimeError("User declined"), "were not installed: User declined. Styles run without it, too."),
            (subprocess.CalledProcessError(1, "pip"), "could not be installed (pip ended with 1)"),
        ],
    )
    def test_declined_or_failed(self, world, after_a_run, until, failure, sentence):
        widget = after_a_run()
        world.pip = failure
        widget.ui.fasterButton.click()
        assert sentence in widget.ui.statusLabel.text and not widget.ui.fasterButton.isHidden()
        assert widget.logic.engine.client.running
        widget.ui.applyButton.click()  # all goes on as before
        until(lambda: widget.logic.engine.style_job is None, "the end of the run")
        assert "slices in" in widget.ui.statusLabel.text

    def test_an_installation_that_changes_nothing_is_noticed(self, world, after_a_run, slicer_app, monkeypatch):
        widget = after_a_run()
        monkeypatch.setattr(slicer_app.packaging, "pip_ensure", lambda *arguments, **named: None)
        widget.ui.fasterButton.click()
        assert widget.ui.statusLabel.text.startswith("OpenVINO is still missing")

    def test_not_offered_where_it_is_there(self, after_a_run):
        assert after_a_run(openvino="2026.4.1").ui.fasterButton.isHidden()

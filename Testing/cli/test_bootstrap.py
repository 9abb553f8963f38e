"""The one command of the README, up to where it would install something."""

import os
import platform
import sys
from pathlib import Path

import pytest

from training_cli import bootstrap


@pytest.fixture
def nothing_runs(monkeypatch):
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda *_, **__: pytest.fail("something was started"))


@pytest.mark.parametrize(
    ("system", "machine", "arguments", "sentence"),
    [
        ("darwin", "x86_64", ["demo"], "PyTorch is not made for Intel Macs any more"),
        ("linux", "x86_64", [], "Use: bootstrap.py demo"),
        ("linux", "x86_64", ["dem"], "Use: bootstrap.py demo"),
        ("darwin", "arm64", [], "Use: bootstrap.py demo"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_made(
    monkeypatch, capsys, nothing_runs, system, machine, arguments, sentence
):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert bootstrap.main(arguments) == 1
    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.parametrize(
    ("arguments", "extras", "last"),
    [
        (["demo", "head.nii.gz"], "[demo]", ["-m", "training_cli.main", "demo", "head.nii.gz"]),
        (["--", "models", "list"], "", ["-m", "training_cli.main", "models", "list"]),
        (["test", "-k", "x"], "[test]", ["-m", "pytest", "--numprocesses", "auto", "--dist", "loadfile", "-k", "x"]),
    ],
)
def test_it_makes_an_environment_installs_into_it_and_runs(monkeypatch, tmp_path, arguments, extras, last):
    started = []

    class Ended:
        returncode = 0

    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda command, **_: started.append(command) or Ended())
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert bootstrap.main(arguments) == 0
    made, installed, ran = started
    assert made == [sys.executable, "-m", "venv", str(tmp_path / ".venv")]
    assert installed[1:4] == ["-m", "pip", "install"] and installed[-1] == f"{bootstrap.ROOT}{extras}"
    assert ran[1:] == last and str(tmp_path) in ran[0] and installed[0] == ran[0]


def test_all_tests_are_run_part_by_part(monkeypatch, tmp_path):
    started = []

    class Ended:
        returncode = 0

    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda command, **_: started.append(command) or Ended())
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert bootstrap.main(["test"]) == 0
    parts = [command for command in started if "pytest" in command]
    folders = {path.name for path in (bootstrap.ROOT / "Testing").iterdir() if list(path.glob("**/test_*.py"))}
    named = {Path(word).name for command in parts for word in command if "Testing" in word}
    assert folders <= named and "test_structure.py" in named
    assert parts[-1][-3:] == [str(bootstrap.ROOT / "Testing" / "slicer"), "--numprocesses", "6"]

"""What people have from version 0.1.0 still opens, and what was computed then is computed now.

The fixtures are described in make_fixtures.py, the results in golden.py; entry_points.py knows where the present code
has what is called here.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import entry_points as engine
import golden
import numpy as np
import pytest

FIXTURES = Path(__file__).resolve().parent / "v0_1_0"
GOLDEN = json.loads((FIXTURES / "golden.json").read_text(encoding="utf-8"))
MODELS = sorted(path.name for path in (FIXTURES / "models").iterdir())
RUNS = json.loads((FIXTURES / "runs" / "commands.json").read_text(encoding="utf-8"))
REPORTS = json.loads((FIXTURES / "reports" / "commands.json").read_text(encoding="utf-8"))
OPTIONS = json.loads((FIXTURES / "options.json").read_text(encoding="utf-8"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A copy of the fixtures, as the current folder: what they name is named from there."""
    copy = tmp_path / "v0_1_0"
    shutil.copytree(FIXTURES, copy)
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """``results(group)`` -> the group's results by the present code, computed once."""
    known: dict[str, dict] = {}

    def of(group: str) -> dict:
        if group == "onnx":
            pytest.importorskip("onnxruntime")
        if group not in known:
            computed = golden.compute(group, FIXTURES, tmp_path_factory.mktemp(group))
            known[group] = {name: golden.described(value) for name, value in computed.items()}
        return known[group]

    return of


def succeeded(*arguments: object) -> str:
    """Run ``sst``, which must succeed; its stdout."""
    code, out, err = engine.sst(*arguments)
    assert code == 0 and "Traceback" not in err, (arguments, out, err)
    return out


def test_every_kind_of_result_is_there():
    groups = {name.partition("/")[0] for name in GOLDEN["cases"]}
    assert groups == set(golden.GROUPS) and len(GOLDEN["cases"]) > 90


@pytest.mark.parametrize("group", golden.GROUPS)
def test_results_are_those_of_then(results, group):
    """On any machine, within the tolerance for its way of adding up."""
    found = results(group)
    different = []
    for name, case in GOLDEN["cases"].items():
        if name.startswith(f"{group}/"):
            assert name in found, f"{name} is not computed any more"
            different += golden.differences(case, found[name], golden.tolerance_of(name), name)
    assert not different, "\n".join(different[:20])


@pytest.mark.parametrize("group", golden.GROUPS)
def test_results_are_those_of_then_to_the_bit(results, group):
    """Where the libraries and the kind of processor are the same as then."""
    now, then = golden.environment(), GOLDEN["environment"]
    if now != then:
        others = ", ".join(f"{name} {now[name]}, not {then[name]}" for name in then if now[name] != then[name])
        pytest.skip(f"digests are those of another environment ({others})")
    found = results(group)
    cases = {name: case for name, case in GOLDEN["cases"].items() if name.startswith(f"{group}/")}
    # Of tables, the values: a key more is no other result.
    different = [
        name
        for name, case in cases.items()
        if (case["sha256"] != found[name]["sha256"] if "dtype" in case else golden.differences(case, found[name], 0.0))
    ]
    assert not different, different


@pytest.mark.parametrize("name", MODELS)
def test_a_model_folder_opens(name):
    if name == "onnx":
        pytest.importorskip("onnxruntime")
    folder = FIXTURES / "models" / name
    then = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert f"{then['name']} is whole" in succeeded("models", "verify", folder)
    shown = json.loads(succeeded("models", "show", folder, "--json"))
    assert not golden.differences(then, shown, 0.0)


def test_model_folders_are_listed(monkeypatch):
    monkeypatch.setenv("SST_MODELS", str(FIXTURES / "models"))
    monkeypatch.setenv("COLUMNS", "250")
    listed = succeeded("models", "list")
    assert all(name in listed for name in MODELS)


def rows_of(run: Path) -> list[dict[str, float]]:
    with (run / "losses.csv").open() as stream:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(stream)]


@pytest.mark.parametrize("method", RUNS)
def test_a_run_goes_on(here, method):
    run, then = here / "runs" / method, RUNS[method]
    assert len(rows_of(run)) == 2
    with golden.one_thread():
        succeeded("train", *then["arguments"], "--output", f"runs/{method}", "--resume", "--progress", "none")
    different = golden.differences(then["losses"], rows_of(run), golden.tolerance_of("train"))
    assert not different, different
    assert engine.load_model(run / "model" / f"discs-{method}").card.training["steps"] == 4


@pytest.mark.parametrize("method", RUNS)
def test_a_run_is_reported(here, method):
    succeeded("report", f"runs/{method}", "--output", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "<svg" in page and method in page and "Learning rate" in page


@pytest.mark.parametrize("method", RUNS)
def test_a_checkpoint_becomes_the_model_it_was(here, method):
    from safetensors.numpy import load_file

    run = here / "runs" / method
    succeeded("models", "export", f"runs/{method}", "--step", 2, "--name", "again")
    then, now = (load_file(run / "model" / name / "weights.safetensors") for name in (f"discs-{method}", "again"))
    assert then.keys() == now.keys() and all(np.array_equal(then[key], now[key]) for key in then)


@pytest.mark.parametrize("command", REPORTS)
def test_a_report_opens(here, command):
    path = Path("reports") / f"{command}.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert not golden.differences(raw, engine.read_report(path), 0.0)
    succeeded("report", path, "--output", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "<img" in page and "head_T1" in page


def lacking(old: object, new: object, where: str) -> list[str]:
    """Keys of an old report that a new one has not, or has as another kind of thing."""
    if isinstance(old, dict):
        if not isinstance(new, dict):
            return [f"{where} is no table"]
        gone = [f"{where}.{key}" for key in old if key not in new]
        return gone + [text for key in old if key in new for text in lacking(old[key], new[key], f"{where}.{key}")]
    if isinstance(old, list) and old and isinstance(old[0], dict):
        return lacking(old[0], new[0], f"{where}[0]") if isinstance(new, list) and new else [f"{where} is empty"]
    return []


@pytest.mark.parametrize("command", REPORTS)
def test_a_command_of_then_writes_the_keys_of_then(here, command):
    path = Path("reports") / f"{command}.json"
    then = json.loads(path.read_text(encoding="utf-8"))
    shutil.rmtree("reports")
    Path("reports").mkdir()
    succeeded(*REPORTS[command])
    assert not lacking(then, json.loads(path.read_text(encoding="utf-8")), command)


def test_every_setting_of_a_training_is_understood(here):
    then = json.loads((FIXTURES / "training.json").read_text(encoding="utf-8"))
    now = engine.training_settings(Path("training.yaml"))
    for key in ("source", "target", "output", "pairs", "init"):
        now[key] = now[key].replace("\\", "/")
    assert not golden.differences(then, now, 0.0)


def test_settings_have_the_defaults_of_then():
    then = json.loads((FIXTURES / "training_defaults.json").read_text(encoding="utf-8"))
    assert len(then) > 70 and not golden.differences(then, engine.training_defaults(), 0.0)


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_is_taken(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    words = command.split()
    shown = set(succeeded(*words, "--help").replace(",", " ").split())
    for option in OPTIONS[command]:
        if option not in shown:  # hidden from the help, and yet taken?
            _, _, err = engine.sst(*words, "--help", option)
            assert "No such option" not in err, f"sst {command} {option}"

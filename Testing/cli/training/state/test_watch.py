"""What is seen is told once, kept in the run's folder, shown by its page and said by the exported card."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import verify_model
from training_cli.report_page.training_run import build_run_page
from training_cli.training.config import load_config
from training_cli.training.data.prepare import prepare_data
from training_cli.training.loop import train
from training_cli.training.state.failures import Check
from training_cli.training.state.from_checkpoints import export_checkpoints
from training_cli.training.state.watch import Watch, check_generator

GOOD = Check(200, 0.5, 0.3, 0.3, 0.5, 0.3, 0.1, -0.5, -0.6, 1e-5, 1e-5)
ALIKE = replace(GOOD, diversity=0.001)


def test_a_sentence_is_said_once_and_taken_up_again_from_the_file(tmp_path):
    said: list[str] = []
    watch = Watch(tmp_path)
    for number in (1, 2, 3, 4):
        watch.record({"cycle": float(number)})
        watch.record({"cycle": 3.0 * number})
        watch.add(replace(ALIKE, step=200 * number), said.append)
    assert len(said) == 1 and said[0].startswith("Warning at step 600: Mode collapse")
    kept = json.loads((tmp_path / "warnings.json").read_text())
    assert [entry["step"] for entry in kept["warnings"]] == [600] and kept["losses"][3]["cycle"] == 8.0
    resumed = Watch(tmp_path, 800)
    resumed.add(replace(ALIKE, step=1000), said.append)
    assert len(said) == 1 and resumed.standing().keys() == {"mode_collapse"}
    assert Watch(tmp_path, 400).standing() == {} and len(Watch(tmp_path, 400).evidence.checks) == 2
    for number in range(6, 9):
        resumed.add(replace(GOOD, step=200 * number), said.append)
    assert resumed.standing() == {} and len(resumed.warnings) == 1
    (tmp_path / "warnings.json").write_text("{")
    assert Watch(tmp_path, 800).evidence.checks == []


@pytest.mark.parametrize("outputs", [1, 3])
def test_of_a_stack_the_middle_slice_is_looked_at_and_pairs_only_where_they_may_be_compared(outputs):
    stack = torch.linspace(-0.5, 0.5, 3).view(1, 3, 1, 1) + torch.rand(1, 3, 32, 32) * 0.1
    weight = torch.zeros(1, 1, 32, 32)
    weight[..., :16] = 1
    real = stack + 0.2
    real[..., 16:] = 1
    batch = {"a": stack, "b": real, "weight": weight, "paired": torch.tensor([True])}
    network = torch.nn.Identity() if outputs == 3 else torch.nn.Conv2d(3, 1, 1, bias=False)
    if outputs == 1:
        network.weight.data = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    check = check_generator(network, [batch], [batch], (7, 0.25), 3)
    assert check.change == 0 and check.trained == pytest.approx(0.2, abs=1e-6) == check.kept_aside
    assert (check.step, check.progress) == (7, 0.25) and check.order == pytest.approx(1.0)


def test_a_training_that_collapses_says_so_everywhere(tiny, pairs, tmp_path):
    """Weights of zero give the same for whatever comes in; a rate of next to nothing keeps them."""
    settings = tiny | {"pairs": pairs, "check_every": 1, "hold_out_pairs": 1, "learning_rate": 1e-12, "sample_every": 0}
    lines: list[str] = []
    import training_cli.training.loop as loop

    build = loop.build_method

    def constant(*arguments):
        method = build(*arguments)
        for network in (method.generator_networks["forward"], method.averages["forward"].module):
            for parameter in network.parameters():
                torch.nn.init.zeros_(parameter)
        return method

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "build_method", constant)
        summary = train(load_config(None, settings), say=lines.append)
    told = [line for line in lines if "Mode collapse" in line]
    assert len(told) == 1 and told[0].startswith("Warning at step 3: ")
    run = tmp_path / "run"
    kept = json.loads((run / "warnings.json").read_text())
    assert all(check["kept_aside"] > 0 and check["trained"] > 0 for check in kept["checks"])
    assert "Step 3: Mode collapse" in build_run_page(run)
    card = verify_model(summary["model"])
    assert any(limit.startswith("Mode collapse") for limit in card.training["limits"])
    assert card.training["volumes"]["pairs"] == ["a.nii.gz + a.nii.gz"]
    early = verify_model(export_checkpoints(run, [2], "early"))
    assert not any("Mode collapse" in limit for limit in early.training["limits"])  # not yet known then


def test_pairs_kept_aside_are_not_learned_from_and_one_is_left(tiny, pairs, tmp_path):
    data = prepare_data(load_config(None, tiny | {"pairs": pairs, "hold_out_pairs": 1}), tmp_path / "cache")
    assert [a.name for a, _ in data.pairs] == ["a.nii.gz"] and [a.name for a, _ in data.aside] == ["b.nii.gz"]
    masked = [(replace(a, name=f"{a.name} (masked)"), replace(b, name=f"{b.name} (masked)")) for a, b in data.aside]
    both = replace(data, pairs=[*data.pairs, *data.aside, *masked], aside=[]).with_aside(1)
    assert len(both.pairs) == 1 and len(both.aside) == 2
    with pytest.raises(InputError, match="hold_out_pairs is 2, but there are 2 pairs"):
        both.__class__(data.source, data.target, [*data.pairs, *data.aside]).with_aside(2)
    with pytest.raises(InputError, match="hold_out_pairs needs pairs"):
        load_config(None, tiny | {"hold_out_pairs": 1})


def test_checks_change_nothing_of_what_is_learned(tiny, pairs, tmp_path):
    from tiny_training import losses_of

    for name, every in (("with", 1), ("without", 0)):
        train(load_config(None, tiny | {"pairs": pairs, "check_every": every, "output": tmp_path / name}))
    assert losses_of(tmp_path / "with") == losses_of(tmp_path / "without")
    assert not (tmp_path / "without" / "warnings.json").exists() and (tmp_path / "with" / "warnings.json").exists()

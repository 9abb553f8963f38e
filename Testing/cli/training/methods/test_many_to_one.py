"""Many sites into the look of one: the terms, and runs from folders to a model that brings cohorts into the look."""

import contextlib

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from tiny_methods import TINY_CURVES, changed, weights, weights_after
from tiny_training import as_options, disc_volume, losses_of

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.folder import load_model
from training_cli.training.config import load_config
from training_cli.training.methods.build import build_method
from training_cli.training.optimisation.finetune import adopt_settings
from training_cli.training.state.from_checkpoints import export_checkpoints

TINY = TINY_CURVES | {"method": "many-to-one", "reference": "north"}
SITES = {"south": "s", "north": "n", "east": "e"}


def make(**settings):
    torch.manual_seed(0)
    config = load_config(None, TINY | {"domains": SITES, "output": "r", "max_steps": 1} | settings)
    adopt_settings(config)
    return build_method("many-to-one", config, 1, 1, "cpu", contextlib.nullcontext)


def batch(stack: int = 1, sites: tuple[int, ...] = (1, 2)) -> dict:
    random = torch.Generator().manual_seed(3)
    n = len(sites)
    a, b = (torch.rand(n, stack, 32, 32, generator=random) * 2 - 1 for _ in range(2))
    inside = torch.ones(n, 1, 32, 32)
    inside[..., 24:, :] = 0
    weight = torch.zeros(n, 1, 32, 32)
    return {
        **{"a": a, "a_clean": a * 0.9, "a_inside": inside, "b": b, "b_clean": b * 0.9, "b_inside": inside},
        **{"site": torch.tensor(sites), "weight": weight, "paired": torch.zeros(n, dtype=torch.bool)},
    }


@pytest.mark.parametrize("stack", [1, 3])
def test_the_terms_add_up_and_all_networks_learn(stack):
    method = make(stack=stack)
    before = weights(method)
    losses = method.step(batch(stack), 0.5, 1e-3)
    assert set(losses) == set(type(method).losses)
    expected = 0.5 * float(losses["adversarial"]) + 10 * float(losses["cycle"]) + 10 * float(losses["identity"])
    assert float(losses["generators"]) == pytest.approx(expected, rel=1e-5)
    assert changed(method, before) == {"G", "way_back", "D"}
    assert set(method.generators()) == {"forward"}


def test_without_the_adversarial_term_no_discriminator_plays():
    method = make(lambda_adversarial=0.0)
    before = weights(method)
    assert set(method.step(batch(), 0.5, 1e-3)) == {"generators", "cycle", "identity"}
    assert changed(method, before) == {"G", "way_back"}


def test_what_only_lies_outside_the_brain_is_not_judged():
    method = make()
    images, other = batch()["a"], batch()["a"].clone()
    other[..., 24:, :] = 1.0  # a skull
    inside = batch()["a_inside"]
    terms = [method._judged(x, inside, real=True, for_discriminator=False) for x in (images, other)]
    assert torch.equal(*terms)
    everywhere = [
        method._judged(x, torch.ones_like(inside), real=True, for_discriminator=False) for x in (images, other)
    ]
    assert not torch.equal(*everywhere)


def test_only_the_way_back_is_told_the_site():
    method = make()
    assert method.sites == ["north", "south", "east"]
    with torch.no_grad():
        method.way_back.head.bias.copy_(torch.randn_like(method.way_back.head.bias))
    cycles = [float(method.step(batch(sites=sites), 0.5, 1e-9)["cycle"]) for sites in ((1, 1), (2, 2))]
    assert cycles[0] != pytest.approx(cycles[1], rel=1e-3)


def test_a_checkpoint_goes_on_exactly_and_is_of_its_sites():
    first = make()
    ours, theirs = weights_after(first, make(seed=1), batch(), batch(sites=(2, 1)))
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    with pytest.raises(InputError, match="is of north, south, east, not north, south, west"):
        make(domains={"south": "s", "north": "n", "west": "w"}).load_state_dict(first.state_dict())


def test_it_trains_its_generator_alone():
    with pytest.raises(InputError, match="trains the generator bilateral, not resnet"):
        make(generator="resnet")


@pytest.fixture
def folders(tmp_path):
    """Two scans of each site, of equal names in all; the others are darker inside than the reference."""
    for site in SITES:
        (tmp_path / site).mkdir()
        for patient in range(2):
            image = disc_volume(patient + (10 if site == "north" else 0), inverted=False)
            if site != "north":
                array = sitk.GetArrayFromImage(image)
                darker = sitk.GetImageFromArray(np.where(array > 500, array * 0.6, array).astype(np.float32))
                darker.CopyInformation(image)
                image = darker
            sitk.WriteImage(image, str(tmp_path / site / f"p{patient}.nii.gz"))
    return [argument for site in SITES for argument in ("--domain", f"{site}={tmp_path / site}")]


def test_from_folders_to_a_cohort_in_the_look(folders, tmp_path, sst):
    """A run that is resumed learns on; its model is an ordinary one that `sst harmonise` takes."""
    settings = TINY | {"max_steps": 8, "sample_every": 0, "checkpoint_every": 8, "constant_fraction": 1.0}
    named = {"name": "north-look", "source_name": "T1w", "learning_rate": 1e-2, "ema_decay": 0.8}
    assert sst("train", *folders, *as_options(settings | named | {"output": tmp_path / "run"})).code == 0
    ended = sst("train", "--resume", "--output", tmp_path / "run", "--max-steps", 16, "--sample-every", 16)
    assert ended.code == 0 and "Resumed from step 8" in ended.out, ended
    rows = losses_of(tmp_path / "run")
    assert [row["step"] for row in rows] == list(range(1, 17))
    assert sum(row["identity"] for row in rows[-4:]) < 0.8 * sum(row["identity"] for row in rows[:4])
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 1

    model = load_model(tmp_path / "run" / "model" / "north-look")
    card = model.card
    assert card.directions == ["forward"] and card.schema_version == 1 and card.architecture.name == "bilateral"
    assert (card.domains.source.name, card.domains.target.name) == ("T1w", "T1w in the look of north")
    assert card.training["sites"] == ["north", "south", "east"] and card.training["reference"] == "north"
    assert len(card.training["volumes"]["source"]) == 6 and len(card.training["volumes"]["target"]) == 2
    readme = (model.folder / "README.md").read_text()
    assert "scans of any scanner into the look of north; it learned from the sites north, south, east" in readme
    assert export_checkpoints(tmp_path / "run", [8], name="half").name == "half"

    (tmp_path / "cohort" / "p9").mkdir(parents=True)
    sitk.WriteImage(disc_volume(7, inverted=False), str(tmp_path / "cohort" / "p9" / "scan.nii.gz"))
    ended = sst("harmonise", tmp_path / "cohort", tmp_path / "out", "--like", model.folder, "--progress", "none")
    assert ended.code == 0, ended
    (written,) = (tmp_path / "out").rglob("*.nii.gz")
    before, after = read_volume(tmp_path / "cohort" / "p9" / "scan.nii.gz"), read_volume(written)
    assert after.same_grid(before) and not np.array_equal(after.array, before.array)
    assert (tmp_path / "out" / "manifest.csv").exists()

    method = make(init=str(model.folder))
    stored = model.generator("forward").state_dict()
    assert all(torch.equal(value, stored[key]) for key, value in method.G.state_dict().items())
    assert method.started_from["name"] == "north-look"


def test_what_a_model_decides_is_left_to_the_model_to_start_from():
    plain = {"method": "many-to-one", "domains": SITES, "reference": "north", "output": "r", "max_steps": 1}
    assert load_config(None, plain).generator_settings["features"] == 16
    started = load_config(None, plain | {"init": "some-model"})
    assert not {"generator", "generator_settings"} & started.model_fields_set and started.patch_size == 160


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--domain", "north=n"], "Many sites are two at least"),
        (["--domain", "south=s", "--domain", "east=e"], "'north' is none of the sites; there are south, east"),
        (["--domain", "north=none", "--domain", "east=none"], "The folder none of the site north does not exist"),
    ],
)
def test_bad_sites_are_one_sentence_and_leave_no_run(refused, tmp_path, arguments, part):
    sentence = refused("train", *arguments, *as_options(TINY | {"output": tmp_path / "run", "max_steps": 1}))
    assert part in sentence and not (tmp_path / "run").exists()


def test_a_reference_has_to_be_named_and_is_for_this_method_alone(refused, tmp_path):
    settings = {key: value for key, value in TINY.items() if key != "reference"} | {"output": tmp_path / "r"}
    sentence = refused("train", "--domain", "a=a", "--domain", "b=b", *as_options(settings))
    assert sentence == "Whose look is learned is said by --reference; there are a, b."
    sentence = refused("train", "--source", "a", "--target", "b", "--reference", "a", "--output", tmp_path / "r")
    assert sentence == "A reference site is for --method many-to-one."

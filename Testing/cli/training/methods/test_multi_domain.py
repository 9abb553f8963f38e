"""One generator for many domains: its terms, and its runs from folders to a model folder."""

import contextlib

import pytest
import SimpleITK as sitk
import torch
from tiny_methods import TINY_CURVES, changed, weights, weights_after
from tiny_models import make_tiny_many
from tiny_training import as_options, disc_volume, losses_of

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from training_cli.training.config import load_config
from training_cli.training.methods.build import build_method
from training_cli.training.state.from_checkpoints import export_checkpoints

TINY = TINY_CURVES | {"method": "multi-domain"}


def make(**settings):
    torch.manual_seed(0)
    domains = {"T1w": "a", "T2w": "b", "FLAIR": "c"}
    config = load_config(None, TINY | {"domains": domains, "output": "r", "max_steps": 1} | settings)
    return build_method("multi-domain", config, 1, 1, "cpu", contextlib.nullcontext)


def batch(*known: tuple[int, int, int]) -> dict:
    random = torch.Generator().manual_seed(3)
    present = torch.tensor(known, dtype=torch.bool)
    images = torch.rand(len(known), 3, 3, 32, 32, generator=random) * 2 - 1
    images[~present] = -1
    weight = torch.ones(len(known), 1, 32, 32)
    weight[..., 22:, :] = 0
    return {"images": images, "clean": images * 0.9, "known": present, "weight": weight}


def test_pairs_alone_need_no_discriminator():
    method = make(cycle_fraction=0.0)
    before = weights(method)
    losses = method.step(batch((1, 1, 1), (1, 1, 0)), 0.5, 1e-3)
    assert set(losses) == {"pairs", "generators"} and changed(method, before) == {"generator"}
    assert float(losses["generators"]) == pytest.approx(30 * float(losses["pairs"]), rel=1e-5)


def test_volumes_alone_go_there_and_back_and_are_judged():
    method = make()
    before = weights(method)
    losses = method.step(batch((1, 0, 0), (0, 0, 1)), 0.5, 1e-3)
    assert set(losses) == set(type(method).losses) and float(losses["pairs"]) == 0
    expected = (
        float(losses["adversarial"])
        + float(losses["classes"])
        + 10 * float(losses["cycle"])
        + 5 * float(losses["identity"])
    )
    assert float(losses["generators"]) == pytest.approx(expected, rel=1e-5)
    assert changed(method, before) == {"generator", "discriminator"}


def test_a_share_of_the_pairs_also_goes_there_and_back_without_the_discriminator():
    losses = make(cycle_fraction=1.0).step(batch((1, 1, 1), (1, 1, 0)), 0.5, 1e-3)
    assert set(losses) == {"pairs", "cycle", "identity", "generators"}
    everywhere = make(everywhere=True).step(batch((1, 1, 1), (1, 1, 0)), 0.5, 1e-3)
    assert "adversarial" in everywhere


def test_identity_is_the_difference_to_the_image_itself():
    method = make(lambda_adversarial=0.0)
    alone = batch((1, 0, 0))
    first = torch.tensor([[0]])
    expected = (
        (method.network.translated(alone["images"][:, :1], first, first)[:, 0] - alone["clean"][:, 0, 1:2]).abs().mean()
    )
    losses = method.step(alone, 0.5, 1e-3)
    assert float(losses["identity"]) == pytest.approx(float(expected.detach()), rel=1e-4)


def test_pairs_are_compared_where_they_are_valid():
    method = make(lambda_ssim=0.0, lambda_sharpness=0.0, cycle_fraction=0.0)
    pair = batch((1, 1, 0))
    pair["clean"][..., 22:, :] = 5.0
    assert float(method.step(pair, 0.5, 1e-3)["pairs"]) < 2


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"generator": "resnet"}, "trains the generator domain_grid, not resnet"),
        ({"init": "brain-mr-t1w-t2w"}, "not one for"),
    ],
)
def test_what_cannot_be(settings, part):
    with pytest.raises(InputError, match=part):
        make(**settings)


def test_a_checkpoint_goes_on_exactly():
    ours, theirs = weights_after(make(), make(seed=1), batch((1, 1, 1), (1, 0, 0)), batch((1, 1, 0), (0, 1, 0)))
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def test_init_starts_from_a_model_of_the_same_domains(tmp_path):
    folder = make_tiny_many(tmp_path)
    model = load_model(folder)
    method = make(init=str(folder), generator_settings="features=8,bins=6,detail=4")
    stored = model.generator("T1w>T2w").state_dict()
    assert all(torch.equal(value, stored[key]) for key, value in method.network.state_dict().items())
    assert method.started_from["sha256"] == model.card.stored.sha256
    with pytest.raises(InputError, match="is not one for T1w, PD, in this order"):
        make(init=str(folder), domains={"T1w": "a", "PD": "b"})


@pytest.fixture
def folders(tmp_path):
    """T1w, T2w (inverted) and FLAIR (half as bright) of two patients, and one more T1w."""
    for domain in ("T1w", "T2w", "FLAIR"):
        (tmp_path / domain).mkdir()
        for patient in range(3 if domain == "T1w" else 2):
            image = disc_volume(patient, inverted=domain == "T2w")
            sitk.WriteImage(image, str(tmp_path / domain / f"p{patient}.nii.gz"))
    return [argument for name in ("T1w", "T2w", "FLAIR") for argument in ("--domain", f"{name}={tmp_path / name}")]


def test_a_resumed_run_gives_the_same_losses(folders, tmp_path, sst):
    settings = TINY | {"max_steps": 4, "sample_every": 0, "checkpoint_every": 2, "constant_fraction": 1.0}
    whole = as_options(settings | {"output": tmp_path / "run"})
    assert sst("train", *folders, *whole).code == 0
    halves = settings | {"output": tmp_path / "halves"}
    assert sst("train", *folders, *as_options(halves | {"max_steps": 2})).code == 0
    assert sst("train", *folders, *as_options(halves), "--resume").code == 0
    assert losses_of(tmp_path / "halves") == losses_of(tmp_path / "run")
    others = [part.replace("T2w=", "PD=") for part in folders]
    assert sst("train", *others, *as_options(halves | {"max_steps": 6}), "--resume").code == 2


def test_it_learns_every_route_and_writes_a_model(folders, tmp_path, sst):
    settings = TINY | {
        "output": tmp_path / "run",
        "max_steps": 24,
        "name": "discs",
        "augment": False,
        "sample_every": 24,
    }
    ended = sst(
        "train", *folders, *as_options(settings | {"randomise": "none", "learning_rate": 1e-2, "ema_decay": 0.8})
    )
    assert ended.code == 0, ended
    pairs = [float(row["pairs"]) for row in losses_of(tmp_path / "run") if float(row["pairs"])]
    assert sum(pairs[-5:]) < 0.7 * sum(pairs[:5])
    model = load_model(tmp_path / "run" / "model" / "discs")
    assert model.card.schema_version == 2 and model.card.names == ["T1w", "T2w", "FLAIR"]
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 1
    assert "Any of T1w, T2w, FLAIR, one or several, into any other" in (model.folder / "README.md").read_text()
    again = load_model(export_checkpoints(tmp_path / "run", name="again")).card
    assert again.names == model.card.names and again.stored.sha256 == model.card.stored.sha256
    source = read_volume(tmp_path / "T1w" / "p2.nii.gz")
    result = translate_volume(
        source, model, direction="T1w>T2w", device="cpu", precision="fp32", backend="torch"
    ).volume
    inner, outer = source.array > 600, (source.array > 250) & (source.array < 350)
    assert result.array[inner].mean() < result.array[outer].mean()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--domain", "T1w=a"], "Many domains are two at least"),
        (["--domain", "T1w"], "--domain takes NAME=DIR"),
        (["--domain", "T1w=a", "--domain", "T1w=b"], "named twice"),
        (["--domain", "T1w=a", "--domain", "A+B=b"], "cannot be called 'A+B'"),
        (["--domain", "T1w=nowhere", "--domain", "T2w=nowhere"], "The folder nowhere of the domain T1w does not exist"),
    ],
)
def test_bad_domains_are_one_sentence_and_leave_no_run(refused, tmp_path, arguments, part):
    sentence = refused("train", *arguments, *as_options(TINY | {"output": tmp_path / "run", "max_steps": 1}))
    assert part in sentence and not (tmp_path / "run").exists()


def test_domains_are_for_this_method_alone(refused, tmp_path):
    sentence = refused("train", "--method", "paired", "--domain", "A=a", "--domain", "B=b", "--output", tmp_path / "r")
    assert sentence == "Domains are for --method multi-domain and many-to-one."

"""Models of two domains and the metrics of one case, for tests of judging."""

from types import SimpleNamespace

import numpy as np

from surgical_style_engine.app.judge_case import JudgeCase, judge_case
from surgical_style_engine.app.judging import Judging
from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
from surgical_style_engine.volumes.normalization import HUWindow, PercentileLandmarks, RobustPercentile


def make_model(target=None, directions=("forward", "backward"), **fields):
    mr = Domain(
        name="T1w",
        modality="MR",
        normalization=RobustPercentile(),
        inverse=PercentileLandmarks(low=0, high=1000, maximum=2000),
    )
    card = ModelCard(
        name="fake",
        title="fake",
        architecture=Architecture(name="resnet"),
        domains=Domains(source=mr, target=target or mr),
        directions=list(directions),
        **{"spacing_mm": 1.0, **fields},
    )
    model = SimpleNamespace(card=card, folder=None, check_direction=lambda direction: None)
    return model


CT = Domain(name="CT", modality="CT", units="HU", normalization=HUWindow(), inverse=HUWindow().fit(np.zeros(2)))
MR = make_model().card.domains.source
OTHER_MR = MR.model_copy(update={"name": "T2w", "inverse": PercentileLandmarks(low=5, high=300, maximum=900)})
NARROW_CT = Domain(
    name="soft tissue",
    modality="CT",
    units="HU",
    normalization=HUWindow(lower=-500, upper=700),
    inverse=HUWindow(lower=-500, upper=700).fit(np.zeros(2)),
)
PAIRS = {
    "MR to MR": (MR, OTHER_MR),
    "MR to CT": (MR, CT),
    "CT to CT": (CT, CT),
    "CT to another window": (CT, NARROW_CT),
}


def case_of(volume, pair):
    """A model of two domains, and the volume in the source's units."""
    source, target = PAIRS[pair]
    card = make_model(target).card
    card = card.model_copy(update={"domains": Domains(source=source, target=target)})
    model = SimpleNamespace(card=card, folder=None, check_direction=lambda direction: None)
    return (volume if source is MR else volume.with_array(volume.array * 1.5 - 700)), model


def mask_of(volume):
    inside = np.zeros(volume.array.shape, np.uint8)
    inside[:, :, 12:30, 10:40] = 7
    return volume.with_array(inside)


def judge(volume, model, translation, **more):
    """The metrics, without the cycle's unless asked for."""
    return judge_case(JudgeCase(volume, model, translation, **{"judging": Judging(cycle=False), **more})).quality


def compare(volume, model, translation, reference, labels, **more):
    """The metrics against a reference."""
    return judge(volume, model, translation, reference=reference, labels=labels, **more)["reference"]

"""Thresholds by sites left out, the tables, and the results as JSON."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.volumes.recognise.kinds import CONTRASTS, T1W, T1W_GD
from surgical_style_engine.volumes.recognise.network import Recogniser, turned
from surgical_style_engine.volumes.recognise.values import PART, SLICE, WHOLE
from surgical_style_engine.volumes.recognise.voxels import Look, decided, pooled, with_values

from .cohort import CHECK, FOLDS, Image, images
from .drawn import Drawn
from .fine_fit import fine_drawn, fit_fine, stored_looks
from .linear import Linear, fit, stored_features
from .train import Network
from .usual import coverage
from .variants import variants_of

RESULT = Path(__file__).resolve().parents[1] / "results" / "recognise.json"
FAMILIES = ("cropped", "one slice")  # of variants, several of each
SEEN = (WHOLE, PART, SLICE)
MOST_WRONG = 0.02  # of the verdicts given
FARTHER = 1.1  # times the strangest image left out
STEPS = np.round(np.arange(0.4, 0.996, 0.005), 3)


def answers(runs: Path, data: Path, drawn: Drawn, check: bool = False) -> list[dict]:
    """What networks say of images of sites that they have not seen: of the check patients, or of all others."""
    found = []
    everything = images(data)
    features, looks = stored_features(everything, runs), stored_looks(data, runs)
    fine = fine_drawn(data, runs)
    for fold, left in FOLDS.items():
        networks = load_networks(runs, "all" if check else fold)
        known = [image for image in everything if image.patient not in CHECK and (check or not _is_left(image, left))]
        linear = fit(known, features, drawn)
        slices = Recogniser((), {}, {}, "", tuple(fit_fine(fine if check else fine.without(left))))
        for image in everything:
            if (image.patient in CHECK) != check or not (check or _is_left(image, left)):
                continue
            found += [
                {"fold": fold, **answer}
                for answer in _of_image(image, networks, (linear, slices), (features, looks), runs)
            ]
        if check:
            break
    return found


def _is_left(image: Image, left: tuple[str, ...]) -> bool:
    return bool({image.site, image.patient} & set(left))


def load_networks(runs: Path, name: str) -> list[Network]:
    networks = []
    for path in sorted(runs.glob(f"{name}-*.pt")):
        network = Network()
        network.load_state_dict(torch.load(path, weights_only=True))
        networks.append(network.eval())
    return networks


def look(networks: list[Network], patches: np.ndarray) -> np.ndarray:
    """What ``Recogniser.look`` gives: logarithms of probabilities (n, kinds)."""
    batches = [torch.from_numpy(np.ascontiguousarray(view, np.float32)) for view in turned(patches)]
    with torch.inference_mode():
        looks = [network(batch).log_softmax(dim=1) for batch in batches for network in networks]
    return torch.stack(looks).mean(dim=0).numpy()


def _of_image(
    image: Image,
    networks: list[Network],
    classifiers: tuple[Linear, Recogniser],
    measures: tuple[dict, dict],
    runs: Path,
) -> list[dict]:
    found = []
    (linear, slices), (features, looks) = classifiers, measures
    with np.load(runs / "variants" / f"{image.name}.npz") as stored:
        for variant in variants_of(stored):
            patches = stored[variant]
            common = {
                "image": image.name,
                "truth": image.truth,
                "group": f"{image.site}, {'brains' if image.extracted else 'heads'}"
                if image.truth in CONTRASTS
                else image.site,
                "variant": next((family for family in FAMILIES if variant.startswith(family)), variant),
                "seen": str(stored[f"{variant}|seen"]),
                "in_hu": {"True": True, "False": False, "None": None}[str(stored[f"{variant}|in_hu"])],
            }
            measured = features.get((image.name, variant))
            is_enough = len(patches) and measured is not None
            shares = None
            if is_enough:
                of_slices = list(looks.get((image.name, variant), ()))
                contrasts = slices.slice_contrasts(of_slices, linear.contrasts(measured))
                shares = pooled(look(networks, patches), contrasts, only_veto=bool(of_slices))
            strange = 0.0 if measured is None else float(np.sqrt((linear.scaled(measured) ** 2).mean()))
            found.append({**common, "probabilities": shares, "strange": strange})
    return found


def outcome(answer: dict, constants: dict[str, float]) -> str:
    """right, wrong, "not sure", or "agent not sure" where T1w is right but the contrast agent is left open."""
    if answer["probabilities"] is None:
        return "not sure"
    said, truth = _said(answer, constants), answer["truth"]
    if not said.kind or said.kind == "other":
        return "not sure"
    if truth in (T1W, T1W_GD) and said.kind == T1W and said.with_agent is None:
        return "agent not sure"
    return "right" if said.kind == truth else "wrong"


def choose(found: list[dict]) -> dict[str, float]:
    """The least thresholds under which at most MOST_WRONG of the verdicts on contrasts are wrong.

    Parts of an image have one of their own, and single slices another.
    """
    judged = [answer for answer in found if answer["truth"] in CONTRASTS]
    constants = {
        name: 2.0 for name in (*(f"least_{much}" for much in SEEN), "least_agent")
    }  # none is sure of the agent

    def least(name: str, answers: list[dict], agents: bool = False) -> float:
        for threshold in STEPS[STEPS >= 0.5]:
            counts = Counter(_result(answer, {**constants, name: float(threshold)}, agents) for answer in answers)
            given = counts["right"] + counts["wrong"] + (0 if agents else counts["agent not sure"])
            if counts["wrong"] <= MOST_WRONG * given:
                return float(threshold)
        return 0.995

    for much in SEEN:
        farthest = max((a["strange"] for a in judged if a["seen"] == much), default=0.0)
        constants[f"farthest_{much}"] = round(FARTHER * farthest, 3)
    for much in SEEN:
        constants[f"least_{much}"] = least(f"least_{much}", [a for a in judged if a["seen"] == much])
    # Nothing is said of the agent in single slices, but they count here as if it were: they show how unsure it is.
    asked = [{**a, "seen": PART} if a["seen"] == SLICE else a for a in judged if a["truth"] in (T1W, T1W_GD)]
    constants["least_agent"] = least("least_agent", asked, agents=True)
    return constants


def _said(answer: dict, constants: dict[str, float]) -> Look:
    return with_values(decided(answer["probabilities"], constants, answer["seen"], answer["strange"]), answer["in_hu"])


def _result(answer: dict, constants: dict[str, float], agents: bool) -> str:
    """The outcome; only whether the agent is right, or only whether the rest is."""
    result = outcome(answer, constants)
    if result != "wrong" or answer["probabilities"] is None:
        return result
    said = _said(answer, constants).kind
    return "not sure" if agents and said not in (T1W, T1W_GD) else "wrong"


def nested(found: list[dict]) -> list[dict]:
    """Every answer's outcome under thresholds that were chosen on the other folds."""
    results = []
    for fold in FOLDS:
        constants = choose([answer for answer in found if answer["fold"] != fold])
        results += [{**answer, "outcome": outcome(answer, constants)} for answer in found if answer["fold"] == fold]
    return results


def table(results: list[dict], by: str) -> dict[str, dict[str, float]]:
    """Counts, share wrong of the verdicts given, and share not sure; by variant, truth or group."""
    rows: dict[str, Counter] = defaultdict(Counter)
    for result in results:
        rows[result[by]][result["outcome"]] += 1
    return {name: _shares(counts) for name, counts in sorted(rows.items())}


def _shares(counts: Counter) -> dict[str, float]:
    total = sum(counts.values())
    given = total - counts["not sure"]
    return {
        "images": total,
        "wrong": round(counts["wrong"] / max(given, 1), 4),
        "not_sure": round(counts["not sure"] / total, 4),
        "agent_not_sure": round(counts["agent not sure"] / total, 4),
    }


def make_table(runs: Path, data: Path, drawn: Drawn) -> dict[str, float]:
    """Print the tables and write the results; gives the thresholds."""
    if (runs / "answers.json").exists():
        found = json.loads((runs / "answers.json").read_text())
    else:
        found = answers(runs, data, drawn)
        (runs / "answers.json").write_text(json.dumps(found))
    results = nested(found)
    brains = [result for result in results if result["truth"] in CONTRASTS]
    whole = [result for result in brains if result["variant"] not in FAMILIES]
    report = {
        "constants": choose(found),
        "left_out": {
            "as it is": _shares(Counter(r["outcome"] for r in brains if r["variant"] == "as it is")),
            "whole, all variants": _shares(Counter(r["outcome"] for r in whole)),
            "by variant": table(brains, "variant"),
            "heads, by variant": table([r for r in brains if "heads" in r["group"]], "variant"),
            "by kind, as it is": table([r for r in results if r["variant"] == "as it is"], "truth"),
            "by kind": table(results, "truth"),
            "by site, whole": table(whole, "group"),
            "wrong": [f"{r['image']}, {r['variant']}: {_named(r)}" for r in results if r["outcome"] == "wrong"],
        },
    }
    report["unusual"] = coverage(runs, data, drawn)
    if load_networks(runs, "all"):
        checked = answers(runs, data, drawn, check=True)
        checked = [{**answer, "outcome": outcome(answer, report["constants"])} for answer in checked]
        report["check patients"] = {
            "as it is": _shares(Counter(r["outcome"] for r in checked if r["variant"] == "as it is")),
            "by variant": table(checked, "variant"),
            "wrong": [f"{r['image']}, {r['variant']}: {_named(r)}" for r in checked if r["outcome"] == "wrong"],
        }
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return report["constants"]


def _named(result: dict) -> str:
    shares = result["probabilities"]
    kind = max(shares, key=shares.get)
    return f"{kind} {shares[kind]:.2f}"

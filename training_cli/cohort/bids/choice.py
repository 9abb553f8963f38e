"""What of a data set a command without a translating model works on, and what is said of its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from surgical_style_engine.app.inputs import Files
from surgical_style_engine.common.version import __version__
from surgical_style_engine.harmonise.harmonise import brain_alone
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.volumes.recognise.kinds import T1W, T1W_GD
from surgical_style_engine.volumes.recognise.verdict import recognise
from training_cli.cohort.checks import told
from training_cli.cohort.plan import Plan
from training_cli.cohort.run.work import Task
from training_cli.cohort.tree import Tree

from .dataset import Dataset, Image, Selection, open_dataset
from .derivatives import check_derivatives, domains_of, plan_images, source_uri, write_json
from .names import BidsName, has_agent, suffix_of, synthetic_name
from .pairs import matched


@dataclass(frozen=True)
class Chosen:
    """Images of a data set.

    Attributes:
        dataset: It.
        images: Those that are meant.
    """

    dataset: Dataset
    images: list[Image]

    @property
    def tree(self) -> Tree:
        """The images as those of a folder."""
        return Tree(self.dataset.root, [image.path for image in self.images])

    def plan(self, target: str, output: Path, mask: Path | None) -> Plan:
        """Where results go that keep their image's suffix: ``desc-synthetic`` with the target's name behind it.

        Args:
            target: What the results are made to look like; empty for the image's own kind.
            output: Folder of the derivatives.
            mask: Folder of masks, in the same folders as the images.

        Raises:
            InputError: Where the folder is that of another data set.
        """
        check_derivatives(self.dataset, output)
        return plan_images(self.dataset, self.images, partial(kept_suffix, target=target), output, mask)


def kept_suffix(source: BidsName, target: str) -> BidsName:
    """The name of a result that keeps its image's suffix."""
    return synthetic_name(source, "" if target else source.suffix, target, None)


def chosen(source: Path, selection: Selection, kind: str | None = None, why: str = "") -> Chosen | None:
    """The images of a data set, or of a part of one, that are of a kind.

    Args:
        source: What was named.
        selection: Which images; its suffix, if it names one, is taken instead of the kind's.
        kind: Contrast, such as "T1w-Gd"; None for all anatomical images.
        why: The reason for the kind, for what is told: "as the look is".

    Returns:
        None where the source is no data set.

    Raises:
        InputError: Where only a data set can be meant, or it holds no such image.
    """
    dataset = open_dataset(source) if source.is_dir() else None
    if dataset is None:
        selection.check_none(source)
        return None
    if selection.suffix is not None:
        return Chosen(dataset, dataset.of(selection.suffix, None, selection))
    if kind is None:
        told([f"BIDS data set {dataset.root}: all anatomical images; --suffix chooses among them."])
        return Chosen(dataset, dataset.of(None, None, selection))
    suffix, agent = suffix_of(kind, "MR"), has_agent(kind, "MR") if kind in (T1W, T1W_GD) else None
    with_agent = {True: " with a contrast agent", False: " without a contrast agent", None: ""}[agent]
    told([f"BIDS data set {dataset.root}: images with the suffix {suffix}{with_agent}, {why}."])
    return Chosen(dataset, dataset.of(suffix, agent, selection))


def chosen_for_model(source: Path, card: ModelCard, direction: str, selection: Selection) -> Chosen | None:
    """The images of a data set that a model takes; None where the source is no data set. Raises InputError."""
    dataset = open_dataset(source) if source.is_dir() else None
    if dataset is None:
        return chosen(source, selection)
    domains = domains_of(card, direction, selection)
    return Chosen(dataset, dataset.of(domains.suffix, domains.agent, selection))


def references_of(
    images: Sequence[Image], folder: Path, card: ModelCard, direction: str, selection: Selection
) -> tuple[list[Path], list[Path | None]] | None:
    """The real images of a model's target in a data set, and which belongs to which.

    Args:
        images: Those that are translated.
        folder: A data set, perhaps the same one, or a part of one.
        card: Of the model.
        direction: "forward" or "backward".
        selection: Subjects and sessions.

    Returns:
        All of them, and one or None for each image; None where the folder is no data set, or BIDS has no suffix for
        the target.

    Raises:
        InputError: Where there are none, or two fit equally well.
    """
    dataset = open_dataset(folder) if folder.is_dir() else None
    domains = domains_of(card, direction, selection)
    if dataset is None or not domains.target_suffix:
        return None
    agent = domains.target_agent if domains.target_suffix == "T1w" else None
    there = dataset.of(domains.target_suffix, agent, Selection(None, selection.subjects, selection.sessions))
    own = matched(images, there, "reference")
    return [image.path for image in there], [None if image is None else image.path for image in own]


def write_sidecars(task: Task, files: Files, entry: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Write, after its image, the JSON file that a task has beside it in a data set of derivatives.

    Args:
        task: Its outputs after the first are such files; its value "sources" names the images it is made of.
        files: Writes.
        entry: What a report says of the volume.
        values: What is said of this kind of image: a Description at least.
    """
    if len(task.outputs) < 2:
        return
    verdict = (entry.get("quality") or {}).get("verdict") or {}
    volume = read_volume(task.inputs[0])
    common: dict[str, Any] = {
        "Sources": [source_uri(source) for source in task.values.get("sources", (task.volume,))],
        "SpatialReference": "orig",
        "SkullStripped": brain_alone(recognise(volume), volume),
        "Synthetic": True,
        "Units": entry.get("units"),
        "Verdict": verdict.get("level"),
        "VerdictSentence": verdict.get("sentence"),
        "Warnings": list(entry.get("warnings") or []),
        "SoftwareVersion": __version__,
        "Backend": entry.get("backend"),
        "Precision": entry.get("precision"),
        "IntendedUse": "Research. Not for diagnosis.",
    }
    said = {key: value for key, value in {**common, **values}.items() if value not in (None, "")}
    for sidecar in task.outputs[1:]:
        files.later(partial(write_json, sidecar, said))

"""A data set of derivatives: names of the translations, their sidecars, and the description of it all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.common.version import __version__
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import ModelCard
from training_cli.cohort.checks import check_exist
from training_cli.cohort.plan import Job, Plan, masks_of
from training_cli.cohort.run.cohort_run import DETAILS
from training_cli.cohort.run.manifest import NAME
from training_cli.cohort.summary.page import PAGE
from training_cli.cohort.tree import Tree

from .dataset import DESCRIPTION, Dataset, Image, Selection, read_description
from .names import BidsName, has_agent, suffix_of, synthetic_name

BIDS_VERSION = "1.10.0"
PROGRAM = "SurgicalStyleTransfer"
_CODE = "https://github.com/SurgicalStyleTransfer/SlicerSurgicalStyleTransfer"
_LINK = "raw"  # what the source data set is called in BIDS URIs
_NOT_BIDS = (NAME, PAGE, DETAILS, "*_error_bound.nii.gz")


@dataclass(frozen=True)
class Domains:
    """Both ends of a translation in the words of BIDS.

    Attributes:
        suffix: Of the images that are translated.
        agent: Whether these show a contrast agent; None where both kinds are meant.
        target_suffix: Of the translations; empty where BIDS has none.
        target_agent: Whether these show one; None where the source's word stays.
        target: Name of the target's domain.
    """

    suffix: str
    agent: bool | None
    target_suffix: str
    target_agent: bool | None
    target: str


def domains_of(card: ModelCard, direction: str, selection: Selection) -> Domains:
    """What a model translates, in the words of BIDS.

    Args:
        card: Of the model.
        direction: "forward" or "backward".
        selection: Its suffix, if it names one, is taken instead of the model's.

    Raises:
        InputError: Where none is named and BIDS has none for the model's source.
    """
    source, target = card.domain_from(direction), card.domain_to(direction)
    suffix = selection.suffix or suffix_of(source.name, source.modality, source.units)
    if not suffix:
        raise InputError(f"BIDS has no suffix for {source.name}, which {card.name} translates; name one with --suffix.")
    own = (source.name, source.modality, source.units)
    agent = None if selection.suffix else has_agent(*own) if suffix == "T1w" else None
    end = (target.name, target.modality, target.units)
    return Domains(suffix, agent, suffix_of(*end), has_agent(*end), target.name)


def plan_derivatives(dataset: Dataset, domains: Domains, selection: Selection, output: Path, mask: Path | None) -> Plan:
    """What to translate of a data set, into which files.

    Args:
        dataset: Of the images.
        domains: What is translated into what.
        selection: Which images.
        output: Folder of the derivatives.
        mask: Folder of masks, in the same folders as the images.

    Raises:
        InputError: Where there is nothing to translate, or the folder is that of another data set.
    """
    check_exist(mask)
    check_derivatives(dataset, output)
    images = dataset.of(domains.suffix, domains.agent, selection)

    def naming(source: BidsName) -> BidsName:
        return synthetic_name(source, domains.target_suffix, domains.target, domains.target_agent)

    return plan_images(dataset, images, naming, output, mask)


def plan_images(
    dataset: Dataset, images: Sequence[Image], naming: Callable[[BidsName], BidsName], output: Path, mask: Path | None
) -> Plan:
    """Where what is made of images of a data set goes.

    Args:
        dataset: Of the images.
        images: Them.
        naming: The name of a result by its image's.
        output: Folder of the derivatives.
        mask: Folder of masks, in the same folders as the images.

    Raises:
        InputError: Where an image has no mask, or two results would be one.
    """
    check_exist(mask)
    tree = Tree(dataset.root, [image.path for image in images])
    jobs = []
    for image, (mask_file, paired) in zip(images, masks_of(tree, mask), strict=True):
        place = place_of(dataset, image.path)
        name = naming(image.name)
        written = output / place.parent / str(name)
        sidecar = written.with_name(str(name).removesuffix(name.ending) + ".json")
        jobs.append(Job(image.path, written, mask_file, paired, place.as_posix(), sidecar))
    return Plan(jobs, single=False)


def check_derivatives(dataset: Dataset, output: Path) -> None:
    """Raise InputError where the folder of the derivatives is the data set itself, or holds another one."""
    if output.resolve() == dataset.root.resolve():
        raise InputError(f"{output} is the data set itself; give the derivatives a folder of their own.")
    if output.is_file():
        raise InputError(f"The output {output} is a file; a data set of derivatives is a folder.")
    names = {
        entry.get("Name") for entry in read_description(output).get("GeneratedBy") or [] if isinstance(entry, dict)
    }
    if (output / DESCRIPTION).exists() and PROGRAM not in names:
        raise InputError(f"{output} holds a data set that is not of this program; give another folder.")


def sidecar_of(entry: Mapping[str, Any], source: str, card: ModelCard, direction: str) -> dict[str, Any]:
    """What stands in the JSON file beside a translation.

    Args:
        entry: What a report says of the volume.
        source: The image's path in its data set, with slashes.
        card: Of the model.
        direction: "forward" or "backward".
    """
    domain_from, domain_to = card.domain_from(direction), card.domain_to(direction)
    verdict = (entry.get("quality") or {}).get("verdict") or {}
    extracted = (entry.get("recognised") or {}).get("brain_extracted")
    values: dict[str, Any] = {
        "Description": f"Synthetic {domain_to.name}, translated from {domain_from.name}. Not for diagnosis.",
        "Sources": [source_uri(source)],
        "SpatialReference": "orig",
        "SkullStripped": bool(extracted),
        "Modality": domain_to.modality,
        "Units": domain_to.units or "arbitrary",
        "Synthetic": True,
        "SyntheticFrom": domain_from.name,
        "SyntheticTo": domain_to.name,
        "SyntheticStrength": entry.get("strength"),
        "SyntheticAdjustments": entry.get("adjustments") or None,
        "StyleModel": card.name,
        "StyleModelSHA256": card.stored.sha256,
        "IntendedUse": " ".join(card.intended_use.split()),
        "Verdict": verdict.get("level"),
        "VerdictSentence": verdict.get("sentence"),
        "Warnings": list(entry.get("warnings") or []),
        "SoftwareVersion": __version__,
        "Backend": entry.get("backend"),
        "Precision": entry.get("precision"),
    }
    return {key: value for key, value in values.items() if value not in (None, "")}


def place_of(dataset: Dataset, path: Path) -> Path:
    """The path of an image in its data set."""
    return path.absolute().relative_to(dataset.root.absolute())


def source_uri(source: str) -> str:
    """The BIDS URI of an image; source: its path in its data set, with slashes."""
    return f"bids:{_LINK}:{quote(source)}"


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all. Raises OSError."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_description(dataset: Dataset, domains: Domains, card: ModelCard, output: Path) -> None:
    """Write what a data set of derivatives needs beside its images: description, README, and what is not BIDS.

    Args:
        dataset: The source.
        domains: What was translated into what.
        card: Of the model.
        output: Folder of the derivatives.

    Raises:
        OSError: Where they cannot be written.
    """
    model = f"{card.name} (weights {card.stored.sha256})"
    how = f"Translates {domains.suffix} into {domains.target} by the model {model}."
    write_about(dataset, f"Synthetic {domains.target}", how, output, " ".join(card.intended_use.split()))


def write_about(
    dataset: Dataset, title: str, how: str, output: Path, use: str = "Research. Not for diagnosis."
) -> None:
    """As ``write_description``, for results of any kind.

    Args:
        dataset: The source.
        title: What the images are: "Synthetic T2w".
        how: A sentence on how they were made.
        output: Folder of the derivatives.
        use: What they are for.

    Raises:
        OSError: Where they cannot be written.
    """
    own = dataset.description()
    name = str(own.get("Name") or dataset.root.resolve().name)
    source = {"URL": f"bids:{_LINK}:", "DOI": own.get("DatasetDOI")}
    values = {
        "Name": f"{title} of {name}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "License": own.get("License"),
        "Authors": own.get("Authors"),
        "GeneratedBy": [{"Name": PROGRAM, "Version": __version__, "Description": how, "CodeURL": _CODE}],
        "SourceDatasets": [{key: value for key, value in source.items() if value}],
        "DatasetLinks": {_LINK: quote(_relative(dataset.root, output))},
    }
    write_json(output / DESCRIPTION, {key: value for key, value in values.items() if value})
    with replacing(output / ".bidsignore") as temporary:
        temporary.write_text("\n".join(_NOT_BIDS) + "\n", encoding="utf-8")
    with replacing(output / "README.md") as temporary:
        temporary.write_text(
            f"# {title} of {name}\n\n**Synthetic images, not for diagnosis: lesions, tumours and "
            f"contrast enhancement may be lost or invented.**\n\n{how} {use}\n\n"
            f"`{NAME}` has a row for every image (state, verdict, warnings, digests), `{PAGE}` shows them.\n",
            encoding="utf-8",
        )


def _relative(root: Path, output: Path) -> str:
    """The way from a folder to another; as a URI where there is none, between two drives."""
    try:
        return Path(os.path.relpath(root.resolve(), output.resolve())).as_posix()
    except ValueError:
        return root.resolve().as_uri()

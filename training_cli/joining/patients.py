"""The errors of pair models on registered volumes of patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.joined import JoinedPairs
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.volume import Volume, check_volume
from training_cli.cohort.matching import volumes_in
from training_cli.training.data.many.groups import groups_of

from .shares import Products, products_of

Report = Callable[[str], None]


def measured_products(
    pairs: JoinedPairs, folders: Mapping[str, Path], report: Report, device: str = "auto"
) -> dict[str, list[Products]]:
    """Translate every patient's volumes by every model, and compare.

    Args:
        pairs: The models.
        folders: A folder of volumes for each domain, or for some of them; a patient's are found by their names.
        report: Gets a line a patient.
        device: As of ``translate_volume``.

    Returns:
        Products of errors of the patients, by target.

    Raises:
        InputError: For folders that are none, domains that no model has, and where no patient has three contrasts, two
            of them inputs for the third.
    """
    for name, folder in folders.items():
        if name not in pairs.domains:
            raise InputError(f"No model takes or makes {name}; they have {', '.join(pairs.domains)}.")
        if not folder.is_dir():
            raise InputError(f"The folder {folder} of {name} does not exist.")
    files = {name: volumes_in(folder) for name, folder in folders.items()}
    groups = [group for group in groups_of(files, None, list(folders.values()), report) if len(group) > 2]
    products: dict[str, list[Products]] = {}
    for number, group in enumerate(groups):
        report(f"{number + 1}/{len(groups)}: {', '.join(path.name for path in group.values())}")
        volumes = {name: _read(path) for name, path in group.items()}
        _check_one_grid(group, volumes)
        for target in volumes:
            if of_patient := _of_target(pairs, volumes, target, device):
                products.setdefault(target, []).append(of_patient)
    if not products:
        raise InputError("No patient has two contrasts that the models make a third one of, and that one.")
    return products


def _of_target(pairs: JoinedPairs, volumes: Mapping[str, Volume], target: str, device: str) -> Products | None:
    """None where fewer than two inputs lead to the target."""
    starts = [name for name in volumes if (name, target) in pairs.ways]
    if len(starts) < 2:
        return None
    real = pairs.domains[target].normalization.fit(volumes[target].array).forward(volumes[target].array)
    body = body_mask(volumes[target])
    if not body.any():
        return None
    errors = {}
    for name in starts:
        model, direction = pairs.ways[name, target]
        translation = translate_volume(volumes[name], model, direction=direction, device=device, keep_normalized=True)
        errors[name] = (translation.normalized_output - real)[0][body]
    return products_of(errors, float(np.ptp(real[0][body])) or 1.0)


def _check_one_grid(group: Mapping[str, Path], volumes: Mapping[str, Volume]) -> None:
    first = next(iter(volumes))
    for name, volume in volumes.items():
        if not volumes[first].same_grid(volume):
            raise InputError(
                f"{group[first].name} and {group[name].name} are not on one grid; lay one over the other first "
                "(sst register)."
            )


def _read(path: Path) -> Volume:
    volume = read_volume(path)
    check_volume(volume, path.name)
    return volume

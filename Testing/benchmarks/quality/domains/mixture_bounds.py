"""Error bounds of routes with several inputs, calibrated on the left-out patients of ``mixture``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from surgical_style_engine.models.calibration import DirectionCalibration
from surgical_style_engine.models.joined import JoinedPairs, Shares
from surgical_style_engine.models.routes import Route
from training_cli.calibration.direction import calibrated, coverage_table
from training_cli.calibration.samples import Patient

from ..uncertainty.patients import scan_of_slices
from .translated import Translated


def routes_of_several(pairs: JoinedPairs) -> list[Route]:
    """Every set of several inputs with each of them as the first, the others in the order of the domains."""
    routes = []
    for target in pairs.domains:
        for given in pairs.sets(target):
            if len(given) > 1:
                routes += [Route((name, *(each for each in given if each != name)), target) for name in given]
    return routes


def patients_of(entries: Sequence[Translated], shares: Mapping[str, float], route: Route) -> list[Patient]:
    """Left-out patients with all inputs on the grid of the first, translated with these shares."""
    patients: dict[str, Patient] = {}
    for entry in entries:
        scene, needed = entry.scene, {*route.given, route.target}
        if not needed <= set(scene.images) or route.given[0] not in scene.own:
            continue
        if not all((name, route.target) in entry.images for name in shares):
            continue
        patient = patients.setdefault(scene.patient, Patient(scene.patient, entry.fold, scene.site))
        ways = route.given[0], route.target
        patient.scans.append(scan_of_slices(scene, entry.chosen, ways, entry.mixed(shares, route.target)))
    return list(patients.values())


def bounds_of_several(
    pairs: JoinedPairs, shares: Shares, entries: Sequence[Translated]
) -> tuple[dict[str, DirectionCalibration], dict[str, dict]]:
    """Calibrations by route, and their coverage of left-out patients for the results."""
    calibrations, told = {}, {}
    for route in routes_of_several(pairs):
        of_inputs = shares[frozenset(route.given), route.target]
        patients = patients_of(entries, of_inputs, route)
        calibration, tried = calibrated(patients)
        calibrations[route.direction] = calibration
        told[route.direction] = {
            "patients": len(patients),
            "width": round(float(np.mean([each.width for each in tried["quick"]])), 4),
            "coverage": {name: value.model_dump() for name, value in coverage_table(tried["quick"]).items()},
        }
        print(route.direction, len(patients), told[route.direction]["width"], flush=True)
    return calibrations, told

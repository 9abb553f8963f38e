"""Trains the recogniser's networks and judges them on sites that they have not seen.

python -m Testing.benchmarks.recognise variants          # what left-out images are judged on, once
python -m Testing.benchmarks.recognise fold a b c d      # a network without these sites each
python -m Testing.benchmarks.recognise ship              # networks of all but the check patients, and their weights
python -m Testing.benchmarks.recognise table             # thresholds, tables and results; writes the weights' file
python -m Testing.benchmarks.recognise usual             # statistics of the training patients, into the models' cards
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from . import cohort, train
from .cohort import CHECK, FOLDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("variants", "fold", "ship", "table", "usual"))
    parser.add_argument("folds", nargs="*", default=list(FOLDS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/recognise"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=1, help="networks of an ensemble")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.step == "variants":
        from .variants import store_variants

        (arguments.runs / "features.npz").unlink(missing_ok=True)
        store_variants(arguments.data, arguments.runs / "variants")
    elif arguments.step == "fold":
        banks = _banks(arguments)
        for fold in arguments.folds:
            _train([bank for bank in banks if not {bank.site, bank.patient} & set(FOLDS[fold])], arguments, fold)
    elif arguments.step == "ship":
        _train(_banks(arguments), arguments, "all")
    elif arguments.step == "usual":
        from .usual import write_usual

        print("\n".join(write_usual(arguments.data, arguments.runs)))
    else:
        from .drawn import drawn_features
        from .fine_fit import fine_drawn, fit_fine
        from .linear import fit, stored_features
        from .table import load_networks, make_table
        from .weights import write

        drawn = drawn_features(_entries(arguments), arguments.runs / "drawn.npz")
        constants = make_table(arguments.runs, arguments.data, drawn)
        if networks := load_networks(arguments.runs, "all"):
            known = [image for image in cohort.images(arguments.data) if image.patient not in CHECK]
            features = stored_features(cohort.images(arguments.data), arguments.runs)
            fine = fit_fine(fine_drawn(arguments.data, arguments.runs))
            print(write(networks, fit(known, features, drawn), fine, constants))


def _entries(arguments) -> list[tuple]:
    """What banks and measures are drawn from: all images but the check patients', mixtures, and healed tumours."""
    loaded = cohort.load(arguments.data, arguments.runs / "grids")
    healed = cohort.load_healed(arguments.data, arguments.runs / "healed")
    return train.wanted_banks([pair for pair in loaded if pair[0].patient not in CHECK], healed)


def _banks(arguments) -> list[train.Bank]:
    """The patches of these, kept in a file."""
    path = arguments.runs / "banks.pt"
    return train.banks([] if path.exists() else _entries(arguments), path)


def _train(banks: list[train.Bank], arguments, name: str) -> None:
    """Networks of these, one a seed; what older ones answered is forgotten."""
    (arguments.runs / "answers.json").unlink(missing_ok=True)
    for seed in range(arguments.seeds):
        network = train.train(
            banks, arguments.steps, seed, lambda line, part=f"{name} {seed}": print(part, line, flush=True)
        )
        torch.save(network.state_dict(), arguments.runs / f"{name}-{seed}.pt")


if __name__ == "__main__":
    main()

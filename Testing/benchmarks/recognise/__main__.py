"""Trains the recogniser's networks and judges them on sites that they have not seen.

python -m Testing.benchmarks.recognise variants          # what left-out images are judged on, once
python -m Testing.benchmarks.recognise fold a b c d      # a network without these sites each
python -m Testing.benchmarks.recognise ship              # networks of all but the check patients, and their weights
python -m Testing.benchmarks.recognise slices            # the slices' networks, without these sites each, and of all
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
    parser.add_argument("step", choices=("variants", "fold", "ship", "slices", "table", "usual"))
    parser.add_argument("folds", nargs="*", default=list(FOLDS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/recognise"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=1, help="networks of an ensemble")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.step == "variants":
        from .fine_patches import store_fine
        from .variants import store_variants

        (arguments.runs / "features.npz").unlink(missing_ok=True)
        store_variants(arguments.data, arguments.runs / "variants")
        store_fine(arguments.data, arguments.runs)
    elif arguments.step == "fold":
        banks = _banks(arguments)
        for fold in arguments.folds:
            _train([bank for bank in banks if not {bank.site, bank.patient} & set(FOLDS[fold])], arguments, fold)
    elif arguments.step == "ship":
        _train(_banks(arguments), arguments, "all")
    elif arguments.step == "slices":
        _train_slices(arguments)
    elif arguments.step == "usual":
        from .usual import write_usual

        print("\n".join(write_usual(arguments.data, arguments.runs)))
    else:
        from .drawn import drawn_features
        from .linear import fit, stored_features
        from .table import load_fine, load_networks, make_table
        from .weights import write

        drawn = drawn_features(_entries(arguments), arguments.runs / "drawn.npz")
        constants = make_table(arguments.runs, arguments.data, drawn)
        if networks := load_networks(arguments.runs, "all"):
            known = [image for image in cohort.images(arguments.data) if image.patient not in CHECK]
            features = stored_features(cohort.images(arguments.data), arguments.runs)
            print(write(networks, load_fine(arguments.runs, "all"), fit(known, features, drawn), constants))


def _entries(arguments) -> list[tuple]:
    """What banks and measures are drawn from: all images but the check patients', mixtures, and healed tumours."""
    loaded = cohort.load(arguments.data, arguments.runs / "grids")
    healed = cohort.load_healed(arguments.data, arguments.runs / "healed")
    return train.wanted_banks([pair for pair in loaded if pair[0].patient not in CHECK], healed)


def _banks(arguments) -> list[train.Bank]:
    """The patches of these, kept in a file."""
    path = arguments.runs / "banks.pt"
    return train.banks([] if path.exists() else _entries(arguments), path)


def _train_slices(arguments) -> None:
    """The slices' networks of all folds, and of all hospitals, one a seed; what older ones answered is forgotten."""
    from .fine_bank import slices_of_all
    from .fine_train import train_fine

    (arguments.runs / "answers.json").unlink(missing_ok=True)
    banks = slices_of_all(arguments.data, arguments.runs / "fine.pt")
    for name in [*arguments.folds, "all"] if arguments.folds == list(FOLDS) else arguments.folds:
        seen = [bank for bank in banks if not {bank.site, bank.patient} & set(FOLDS.get(name, ()))]
        for seed in range(arguments.seeds):
            network = train_fine(
                seen, arguments.steps, seed, lambda line, part=f"{name} {seed}": print(part, line, flush=True)
            )
            torch.save(network.state_dict(), arguments.runs / f"fine-{name}-{seed}.pt")


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

"""Stored lesion ledgers into the cards of models, with a picture of which implanted lesions survive."""

from __future__ import annotations

from pathlib import Path

PATIENTS = "check patients that no training saw"
LARGEST_PICTURE = 40_000  # bytes
COLOURS = {"forward": "#0a58ca", "backward": "#b27400"}


def write_cards(folders: list[Path], entries: list[dict]) -> None:
    """Put the entries measured on the check patients into the models' cards, README files and pictures."""
    from surgical_style_engine.models.card import read_card, write_card
    from surgical_style_engine.models.lesion_summary import LesionSummary
    from training_cli.model_card import write_readme

    for folder in folders:
        card = read_card(folder)
        lesions = {}
        for direction in card.directions:
            ways = card.domain_from(direction).name, card.domain_to(direction).name
            for entry in entries:
                if (entry["model"], entry["source"], entry["target"]) == (folder.name, *ways):
                    lesions[direction] = LesionSummary(**summary(entry))
        if not lesions:
            continue
        card = card.model_copy(update={"lesions": lesions})
        picture(folder, card)
        write_card(folder, card)
        write_readme(folder, card)
        print(folder.name, {way: entry.smallest_mm for way, entry in lesions.items()})


def summary(entry: dict) -> dict:
    """The card's form of a measured entry."""
    real = entry["plain"]["real"]
    kept = ("diameter_mm", "trials", "survived")
    return {
        "patients": PATIENTS,
        "volumes": real["volumes"],
        "kept": real["found"],
        **{key: real[key] for key in ("weakened", "lost", "contrast_kept", "invented_per_100_ml")},
        "source_difference": entry["source_difference"],
        "smallest_mm": entry["plain"]["smallest_mm"],
        "implanted": [{key: row[key] for key in kept} for row in entry["plain"]["implanted"]],
    }


def picture(folder: Path, card) -> None:
    """A chart of the part that survives, by diameter; a colour a direction."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from surgical_style_engine.models.lesion_summary import PICTURE_NAME

    figure, axis = plt.subplots(figsize=(5, 2.8))
    for direction, entry in card.lesions.items():
        diameters = [row.diameter_mm for row in entry.implanted]
        shares = [100 * row.survived / row.trials for row in entry.implanted]
        ways = f"{card.domain_from(direction).name} to {card.domain_to(direction).name}"
        axis.plot(diameters, shares, "o-", ms=4, label=ways, color=COLOURS[direction])
    axis.axhline(90, color="0.6", lw=0.8, ls="--")
    axis.set_xlabel("diameter of implanted lesions (mm)")
    axis.set_ylabel("still visible (%)")
    axis.set_ylim(-3, 103)
    axis.set_xlim(0, 21)
    axis.legend(frameon=False, loc="lower right", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(folder / PICTURE_NAME, dpi=80)
    plt.close(figure)
    size = (folder / PICTURE_NAME).stat().st_size
    if size > LARGEST_PICTURE:
        raise SystemExit(f"The picture of {folder.name} has {size} bytes.")

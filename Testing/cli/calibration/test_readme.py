"""The README says what was calibrated, on whom, and what was not."""

from tiny_calibrations import calibrate
from tiny_models import make_tiny_model

from surgical_style_engine.models.calibration import Coverage, read_calibration
from surgical_style_engine.models.card import read_card
from training_cli.calibration.readme import put_section, section


def test_the_section_has_the_coverage_and_takes_its_own_place(tmp_path):
    coverage = {"all": Coverage(mean=0.91, deviation=0.05, worst=0.8, patients=12)}
    folder = calibrate(make_tiny_model(tmp_path), coverage=coverage)
    card = read_card(folder)
    text = section(card, read_calibration(folder, card))
    assert "| T1w to T2w | 12 | 91 ± 5 %, 80 % | - |" in text and "T2w to T1w is not calibrated." in text
    assert "made up for a test" in text
    before = (folder / "README.md").read_text()
    put_section(folder, text)
    put_section(folder, text)
    assert (folder / "README.md").read_text() == before.rstrip() + "\n\n" + text

"""Reports: stable keys, valid JSON, whole or not at all."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from surgical_style_engine.app.report import KEYS, new_report, read_report, write_report
from surgical_style_engine.errors import InputError, StyleTransferError


def test_every_report_has_the_stable_keys_in_order(tmp_path):
    path = write_report(tmp_path / "r.json", {"model": "m", "volumes": [1]})
    written = json.loads(path.read_text())
    assert list(written)[: len(KEYS)] == list(KEYS)
    assert written["inputs"] == [] and written["warnings"] == [] and written["quality"] == {}
    assert written["model"] == "m" and written["volumes"] == [1]


def test_what_json_lacks_becomes_null_and_numpy_becomes_plain(tmp_path):
    quality = {"psnr": float("inf"), "ssim": np.float32("nan"), "slices": np.array([1.5, np.nan]), "n": np.int64(3)}
    path = write_report(tmp_path / "r.json", new_report(inputs=Path("in.nii"), quality=quality, seconds=np.float64(2)))
    text = path.read_text()
    assert "NaN" not in text and "Infinity" not in text
    written = read_report(path)
    assert written["quality"] == {"psnr": None, "ssim": None, "slices": [1.5, None], "n": 3}
    assert written["inputs"] == ["in.nii"] and written["seconds"] == 2.0


def test_a_failed_write_leaves_the_old_report_and_nothing_else(tmp_path, monkeypatch):
    path = write_report(tmp_path / "r.json", {"model": "old"})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StyleTransferError, match="No space left"):
        write_report(path, {"model": "new"})
    assert read_report(path)["model"] == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_a_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(StyleTransferError, match="Cannot write the report"):
        write_report(tmp_path / "absent" / "r.json", {})


def test_what_is_no_report_is_refused(tmp_path):
    for text in ("{", "[]", '{"model": 1}'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(InputError):
            read_report(tmp_path / "x.json")
    with pytest.raises(InputError):
        read_report(tmp_path / "absent.json")


def test_a_value_that_is_no_data_is_a_mistake_in_the_program(tmp_path):
    with pytest.raises(TypeError):
        write_report(tmp_path / "r.json", {"model": object()})
    assert list(tmp_path.iterdir()) == []

"""Digests change with what counts, and with nothing else."""

import os
import shutil

import pytest

from surgical_style_engine.models.card import read_card, write_card
from surgical_style_engine.models.folder import load_model
from training_cli.cohort.run.digests import content_of, model_of, options_of, stamp_of


def test_contents_and_stamps(tmp_path):
    first, second = tmp_path / "a.nii", tmp_path / "b.nii"
    first.write_bytes(b"12")
    second.write_bytes(b"3")
    content, stamp = content_of([first, second]), stamp_of([first, second])
    os.utime(first, ns=(1, 1))
    assert content_of([first, second]) == content and stamp_of([first, second]) != stamp
    first.write_bytes(b"1")
    second.write_bytes(b"23")
    assert content_of([first, second]) != content  # the same bytes, divided otherwise
    with pytest.raises(OSError):
        content_of([tmp_path / "none.nii"])


def test_a_folder_is_its_files_and_a_header_what_lies_beside_it(tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").write_bytes(b"1")
    before = content_of([tmp_path / "series"])
    (tmp_path / "series" / "2.dcm").write_bytes(b"2")
    assert content_of([tmp_path / "series"]) != before
    (tmp_path / "x.mhd").write_bytes(b"header")
    (tmp_path / "x.raw").write_bytes(b"voxels")
    before = content_of([tmp_path / "x.mhd"])
    (tmp_path / "x.raw").write_bytes(b"others")
    assert content_of([tmp_path / "x.mhd"]) != before


def test_options_have_what_is_in_their_files(tmp_path):
    (tmp_path / "look.nii").write_bytes(b"1")
    options = {"strength": 1.0, "match": tmp_path / "look.nii", "plane": None}
    before = options_of(options)
    assert options_of(dict(reversed(options.items()))) == before and options_of({**options, "strength": 0.9}) != before
    (tmp_path / "look.nii").write_bytes(b"2")
    assert options_of(options) != before
    with pytest.raises(TypeError, match="cannot be a object"):
        options_of({"what": object()})


def test_of_a_model_only_what_decides_results(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "tiny")
    before = model_of(load_model(folder))
    card = read_card(folder)
    write_card(folder, card.model_copy(update={"title": "Other", "metrics": {"psnr": 1}, "citation": "me"}))
    assert model_of(load_model(folder)) == before
    write_card(folder, card.model_copy(update={"spacing_mm": 2.0}))
    assert model_of(load_model(folder)) != before

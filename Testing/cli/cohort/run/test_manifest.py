"""The manifest holds what was recorded, in one line a volume, and a torn last line is nothing."""

import pytest

from surgical_style_engine.errors import InputError
from training_cli.cohort.run.manifest import Manifest, Row, is_manifest, read_manifest


def rows(count):
    return [
        Row(f"p{n}.nii.gz", "done", "1.5", "green", 'Good, "very" good', metrics={"psnr": f"{n}"}) for n in range(count)
    ]


def test_rows_come_back(tmp_path):
    manifest = Manifest(tmp_path)
    manifest.begin([Row("p0.nii.gz"), Row("p1.nii.gz")], ["psnr"])
    assert [row.state for row in Manifest(tmp_path).rows.values()] == ["waiting", "waiting"]
    for row in rows(2):
        manifest.record(row)
    assert list(Manifest(tmp_path).rows.values()) == rows(2)
    assert len((tmp_path / "manifest.csv").read_text().splitlines()) == 5  # until it is written whole
    manifest.write()
    assert len((tmp_path / "manifest.csv").read_text().splitlines()) == 3 and is_manifest(manifest.path)
    assert rows(2)[1].number("psnr") == 1 and Row("x").number("psnr") is None


def test_every_cut_of_the_file_can_be_read(tmp_path):
    manifest = Manifest(tmp_path)
    manifest.begin([Row(row.volume) for row in rows(3)], ["psnr"])
    whole = len(manifest.path.read_bytes())
    for row in rows(3):
        manifest.record(row)
    content = manifest.path.read_bytes()
    for length in range(whole, len(content) + 1):
        manifest.path.write_bytes(content[:length])
        found = read_manifest(manifest.path)[1]
        assert [row.volume for row in found] == [row.volume for row in rows(3)]
        assert all(row == after for row, after in zip(found, rows(3), strict=True) if row.state == "done")
    assert {row.state for row in found} == {"done"}


def test_a_name_of_several_lines_is_one_row(tmp_path):
    manifest = Manifest(tmp_path)
    manifest.begin([], [])
    manifest.record(Row("a\nb\x1b[31m.nii", "failed", reason="one\r\ntwo"))
    (row,) = read_manifest(manifest.path)[1]
    assert row.volume == "a b?[31m.nii" and row.reason == "one two"


def test_columns_of_other_versions(tmp_path):
    Manifest(tmp_path).begin(rows(1), ["psnr"])
    manifest = Manifest(tmp_path)
    manifest.begin([Row("q.nii", "done", metrics={"mae": "2"})], ["mae"])
    metrics, found = read_manifest(manifest.path)
    assert metrics == ("mae", "psnr") and [row.metrics for row in found] == [{"psnr": "0"}, {"mae": "2"}]


def test_another_file_of_that_name_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("patient,age\n1,50\n")
    with pytest.raises(InputError, match="not a manifest"):
        Manifest(tmp_path)
    assert not is_manifest(tmp_path / "manifest.csv") and not is_manifest(tmp_path / "none.csv")

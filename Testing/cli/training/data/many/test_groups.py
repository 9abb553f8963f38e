"""What belongs to one patient, by names or by a list."""

from pathlib import Path

import pytest

from surgical_style_engine.errors import InputError
from training_cli.training.data.many.groups import groups_of


def files(tmp_path: Path, **names: str) -> dict[str, list[Path]]:
    """{domain: paths} of files that exist."""
    result = {}
    for domain, listed in names.items():
        (tmp_path / domain).mkdir()
        result[domain] = [tmp_path / domain / name for name in listed.split()]
        for path in result[domain]:
            path.touch()
    return result


def named(groups) -> list[dict[str, str]]:
    return [{domain: path.name for domain, path in group.items()} for group in groups]


def test_by_name_in_unequal_sets(tmp_path):
    paths = files(tmp_path, T1w="p1.nii p2.nii p3.nii", T2w="p2.nii p4.nii", FLAIR="p2_FLAIR.nii p4_FLAIR.nii")
    told = []
    groups = groups_of(paths, None, [], told.append)
    assert named(groups) == [
        {"T1w": "p1.nii"},
        {"T1w": "p2.nii", "T2w": "p2.nii", "FLAIR": "p2_FLAIR.nii"},
        {"T1w": "p3.nii"},
        {"T2w": "p4.nii", "FLAIR": "p4_FLAIR.nii"},
    ]
    assert len(told) == 2 and "p2_FLAIR.nii was taken to belong to p2.nii" in told[0]


def test_by_a_list_across_any_two_domains(tmp_path):
    paths = files(tmp_path, T1w="a.nii b.nii", T2w="x.nii", FLAIR="y.nii z.nii")
    (tmp_path / "pairs.csv").write_text("T2w/x.nii,T1w/b.nii\nFLAIR/y.nii,T2w/x.nii\n")
    groups = groups_of(paths, tmp_path / "pairs.csv", [tmp_path], print)
    assert named(groups) == [{"T1w": "a.nii"}, {"T1w": "b.nii", "T2w": "x.nii", "FLAIR": "y.nii"}, {"FLAIR": "z.nii"}]


def test_lists_that_cannot_be(tmp_path):
    paths = files(tmp_path, T1w="a.nii b.nii", T2w="x.nii")
    (tmp_path / "elsewhere.nii").touch()
    (tmp_path / "pairs.csv").write_text("T1w/a.nii,elsewhere.nii\n")
    with pytest.raises(InputError, match="is in none of the domains' folders"):
        groups_of(paths, tmp_path / "pairs.csv", [tmp_path], print)
    (tmp_path / "pairs.csv").write_text("T1w/a.nii,T2w/x.nii\nT1w/b.nii,T2w/x.nii\n")
    with pytest.raises(InputError, match=r"put .* together, which are both T1w"):
        groups_of(paths, tmp_path / "pairs.csv", [tmp_path], print)

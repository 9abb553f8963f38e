"""`sst evaluate --lesions`: ledgers in the report and a table, one sentence where there can be none."""

import json

import numpy as np
import pytest
from lesion_phantom import phantom

from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Two patients, one of them with labels of lesions."""
    folder = tmp_path_factory.mktemp("lesions")
    for name in ("source", "real", "lesions"):
        (folder / name).mkdir()
    for number in (1, 2):
        head = phantom(number, (((6, 20, 14), 6),), (12, 40, 40))
        for place, image in (("source/p{}_T1", head.source), ("real/p{}_T2", head.real)):
            write_volume(Volume(500 * (image[None] + 1), (1, 1, 3)), folder / f"{place.format(number)}.nii.gz")
    write_volume(Volume(head.labels[None].astype(np.uint8), (1, 1, 3)), folder / "lesions" / "p2_lesions.nii.gz")
    return folder


def test_each_volume_with_labels_and_all_together(sst, tiny_model, cohort, tmp_path):
    report = tmp_path / "r.json"
    options = ["--model", tiny_model, "--source", cohort / "source", "--report", report, "--no-cycle"]
    ended = sst("evaluate", *options, "--reference", cohort / "real", "--lesions", cohort / "lesions")
    assert ended.code == 0 and "lesions by diameter" in ended.out
    values = json.loads(report.read_text(encoding="utf-8"))
    first, second = (entry["quality"] for entry in values["volumes"])
    assert "lesions" not in first and len(second["lesions"]["lesions"]) == 1
    total = values["quality"]["lesions"]
    assert total["volumes"] == 1 and sum(total[state] for state in ("found", "weakened", "lost", "unseen")) == 1
    assert any("p1_T1.nii.gz: no labelmap of lesions" in sentence for sentence in values["warnings"])


def test_lesions_need_a_reference_and_a_name(refused, tiny_model, cohort, tmp_path):
    options = ["--model", tiny_model, "--source", cohort / "source", "--report", tmp_path / "r.json"]
    assert "needs --reference" in refused("evaluate", *options, "--lesions", cohort / "lesions")
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    write_volume(Volume(np.ones((1, 4, 4, 4), np.uint8)), strangers / "q9_lesions.nii.gz")
    sentence = refused("evaluate", *options, "--reference", cohort / "real", "--lesions", strangers)
    assert "No labelmap of lesions" in sentence and not (tmp_path / "r.json").exists()

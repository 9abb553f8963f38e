"""The worker's tasks about looks, called as the worker calls them: the same as the command, to the bit."""

import json

import numpy as np
import pytest
from tissue_phantom import tissue_phantom

from surgical_style_engine.app.harmonise_case import harmonise_case, measure_look
from surgical_style_engine.common.cancelling import cancellable
from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.worker import looks
from surgical_style_engine.worker import messages as protocol
from surgical_style_engine.worker.tasks import Tasks

OTHER = {"CSF": 130.0, "grey": 250.0, "white": 330.0, "scalp": 400.0, "bone": 10.0}


@pytest.fixture(scope="module")
def scan():
    return tissue_phantom(seed=1)


@pytest.fixture(scope="module")
def site():
    return tissue_phantom(OTHER)


@pytest.fixture
def describe(tmp_path):
    """Write a volume and describe it as the panel does."""

    def make(volume, name):
        path = tmp_path / f"{name}.npy"
        protocol.write_array(path, volume.array)
        return protocol.describe(path, volume.spacing, volume.origin, volume.direction, name=name)

    return make


@pytest.fixture
def run(tmp_path):
    """Ask one and the same worker's tasks; gives the answer and what was said meanwhile."""
    tasks = Tasks()

    def do(task, **arguments):
        said = []
        request = {"task": task, "id": 1, **arguments}
        return tasks.run(request, lambda *values: said.append(values), lambda: False), said

    return do


def test_a_volume_comes_into_the_look_of_another_as_by_the_engine_itself(scan, site, describe, run, tmp_path):
    volume, like = describe(scan, "a_T1w"), {"volume": describe(site, "site_T1w")}
    assert run("check_look", volume=volume, like=like)[0] == {"problem": "", "look": None}
    answer, said = run("harmonise", volume=volume, like=like, output=str(tmp_path / "out.npy"))
    look = measure_look([site], "site_T1w")
    case = harmonise_case(scan, look)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), case.harmonised.volume.array)
    assert answer["notes"] == case.notes and answer["tissues"] == case.tissues(look)
    assert answer["look"] == look.entry() and answer["slices"] == 48 and answer["warnings"] == []
    assert [stage for stage, _, _ in said] == ["look", "look", "look", "harmonise"]
    # Measured once: it is known from then on, can be saved at once, and be used again.
    assert run("check_look", volume=volume, like=like)[0] == {"problem": "", "look": look.entry()}
    saved = tmp_path / "site.look.json"
    assert run("save_look", like=like, output=str(saved)) == (
        {"look": look.entry(), "warnings": []},
        [("look", 0, 1)],
    )
    look.save(tmp_path / "other.look.json")
    assert saved.read_bytes() == (tmp_path / "other.look.json").read_bytes()
    again, _ = run("harmonise", volume=volume, like={"path": str(saved)}, output=str(tmp_path / "b.npy"))
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), case.harmonised.volume.array)
    assert again["notes"] == case.notes


def test_a_folder_is_measured_again_only_when_it_has_changed(scan, site, describe, run, tmp_path, monkeypatch):
    folder = tmp_path / "site3"
    folder.mkdir()
    write_volume(site, folder / "r_T1w.nii.gz")
    write_volume(scan.with_array(scan.array - 1000), folder / "c_CT.nii.gz")
    measured = []
    original = looks.look_like
    monkeypatch.setattr(looks, "look_like", lambda *arguments: measured.append(1) or original(*arguments))
    save = {"like": {"path": str(folder)}, "output": str(tmp_path / "s.look.json")}
    answer, said = run("save_look", **save)
    assert answer["look"]["name"] == "site3" and answer["look"]["volumes"] == 1 and ("look", 1, 4) in said
    assert "Left out of the reference: c_CT.nii.gz is CT" in answer["warnings"][0]
    run("save_look", **save)
    assert len(measured) == 1
    (folder / "c_CT.nii.gz").unlink()
    assert run("save_look", **save)[0]["warnings"] == [] and len(measured) == 2


def test_what_cannot_be_is_one_sentence(scan, describe, run, tmp_path):
    t1w, ct = describe(scan, "a_T1w"), describe(scan.with_array(scan.array - 1000), "c")
    like, output = {"volume": t1w}, str(tmp_path / "out.npy")
    for problem in (
        run("check_look", volume=ct, like=like)[0]["problem"],
        run("check_look", volume=t1w, like={"volume": ct})[0]["problem"],
    ):
        assert problem.startswith("c is CT: Hounsfield units mean the same")
    flair = {"schema": 1, "kind": "FLAIR", "levels": {"CSF": 1, "white matter": 2, "grey matter": 3}}
    (tmp_path / "f.look.json").write_text(json.dumps({**flair, "volumes": 1, "name": "f"}))
    of_flair = {"path": str(tmp_path / "f.look.json")}
    assert "is of FLAIR scans" in run("check_look", volume=t1w, like=of_flair)[0]["problem"]
    for wrong, part in (
        ({"volume": ct, "like": like}, "c is CT"),
        ({"volume": t1w, "like": of_flair}, "is of FLAIR scans"),
        ({"volume": t1w, "like": {"path": str(tmp_path / "nowhere")}}, "does not exist"),
        ({"volume": t1w, "like": {"path": str(tmp_path / "nowhere.look.json")}}, "does not exist"),
        ({"volume": t1w, "like": {}}, "'like' as it is: it must name a volume or a path"),
        ({"volume": t1w, "like": {"volume": t1w, "path": "x"}}, "'like' as it is: it must name a volume or a path"),
    ):
        with pytest.raises(InputError, match=".") as refused:
            run("harmonise", output=output, **wrong)
        assert part in str(refused.value)
    with pytest.raises(InputError, match="ends in .look.json"):
        run("save_look", like=like, output=str(tmp_path / "x.json"))
    assert not (tmp_path / "out.npy").exists() and not (tmp_path / "x.json").exists()


def test_it_is_cancelled_within_a_scan(scan, describe, run, tmp_path):
    volume = describe(scan, "a_T1w")
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > 2  # after the loop's beginning, and before the bias field

    with cancellable(cancelled), pytest.raises(Cancelled):
        run("harmonise", volume=volume, like={"volume": volume}, output=str(tmp_path / "out.npy"))
    assert len(asked) == 3 and not (tmp_path / "out.npy").exists()

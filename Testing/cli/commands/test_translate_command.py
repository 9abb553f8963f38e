"""`sst translate` on files, folders and DICOM: what is written, where, and what is refused."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.app.report import KEYS, read_report
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture
def head(tmp_path, head_volume):
    path = tmp_path / "in" / "p1_T1.nrrd"
    path.parent.mkdir()
    write_volume(head_volume(), path)
    return path


def header(path):
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}


def test_one_volume_keeps_its_grid_and_says_that_it_is_synthetic(sst, head, tiny_model, tmp_path):
    out, report = tmp_path / "t2.nrrd", tmp_path / "r.json"
    ended = sst("translate", head, out, "--model", tiny_model, "--report", report, "--device", "cpu")
    assert ended.code == 0, ended
    before, after = read_volume(head), read_volume(out)
    assert after.size == before.size and after.spacing == before.spacing and after.origin == before.origin
    assert np.array_equal(after.direction, before.direction)
    assert after.array.dtype == np.float32 and not np.array_equal(after.array, before.array)
    said = header(out)
    card = json.loads((tiny_model / "model.json").read_text())
    assert said["Synthetic"] == "yes" and said["StyleModelSHA256"] == card["weights"]["sha256"]
    found = read_report(report)
    assert list(found)[: len(KEYS)] == list(KEYS)
    assert found["inputs"] == [str(head)] and found["output"] == str(out) and found["synthetic"] is True
    assert found["slices"] == 8 and found["device"] == "cpu" and found["model"]["to"] == "T2w"
    assert 0 <= found["quality"]["semantic_consistency"] <= 1 and found["quality"]["look_ahead_score"] > 0
    assert "synthetic" in ended.out


def test_nothing_but_the_output_is_written(sst, head, tiny_model, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    assert sst("translate", head, out / "x.nii.gz", "--model", tiny_model).code == 0
    assert [path.name for path in out.iterdir()] == ["x.nii.gz"]
    assert header(out / "x.nii.gz")["ITK_FileNotes"].startswith("SYNTHETIC T2w from T1w by tiny")


def test_directions_planes_and_precisions_differ(sst, head, tiny_model, tmp_path):
    results = []
    for number, options in enumerate(
        [(), ("--direction", "backward"), ("--plane", "coronal"), ("--plane", "all"), ("--precision", "bf16")]
    ):
        out = tmp_path / f"{number}.nrrd"
        common = ("--model", tiny_model, "--device", "cpu", "--precision", "fp32")
        assert sst("translate", head, out, *common, *options).code == 0
        results.append(read_volume(out).array)
    for i in range(len(results)):
        for j in range(i):
            assert not np.array_equal(results[i], results[j]), (i, j)


def test_strength_0_and_outside_the_mask_the_input_stays_to_the_last_bit(sst, head, tiny_model, tmp_path):
    volume = read_volume(head)
    inside = np.zeros(volume.array.shape, np.uint8)
    inside[:, 3:6, 10:30, 10:30] = 1
    write_volume(volume.with_array(inside), tmp_path / "mask.nrrd")
    common = ("translate", head, tmp_path / "o.nrrd", "--model", tiny_model)
    assert sst(*common, "--strength", "0").code == 0
    assert np.array_equal(read_volume(tmp_path / "o.nrrd").array, volume.array)
    assert sst(*common, "--mask", tmp_path / "mask.nrrd").code == 0
    masked = read_volume(tmp_path / "o.nrrd").array
    assert np.array_equal(masked[inside == 0], volume.array[inside == 0])
    assert not np.array_equal(masked[inside == 1], volume.array[inside == 1])


def test_a_cohort(sst, head_volume, tiny_model, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "masks").mkdir()
    for number in (1, 2):
        volume = head_volume(number)
        write_volume(volume, tmp_path / "in" / f"p{number}_T1.nii.gz")
        inside = (volume.array > 300).astype(np.uint8)
        write_volume(volume.with_array(inside), tmp_path / "masks" / f"p{number}_mask.mha")
    ended = sst(
        "translate",
        tmp_path / "in",
        tmp_path / "out",
        "--model",
        tiny_model,
        "--mask",
        tmp_path / "masks",
        "--report",
        tmp_path / "r.json",
        "--progress",
        "json",
        "--no-quality",
    )
    assert ended.code == 0, ended
    names = [f"p{n}_T1_synthetic.nii.gz" for n in (1, 2)]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["manifest.csv", *names, "summary", "summary.html"]
    report = read_report(tmp_path / "r.json")
    assert [entry["mask"][-10:] for entry in report["volumes"]] == ["1_mask.mha", "2_mask.mha"]
    assert report["slices"] == 16
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert lines[-1]["progress"] == 1 and lines[-1]["total"] == 8


def test_a_damaged_volume_does_not_stop_the_others(sst, head_volume, tiny_model, tmp_path):
    (tmp_path / "in").mkdir()
    write_volume(head_volume(), tmp_path / "in" / "good.nii.gz")
    (tmp_path / "in" / "bad.nii.gz").write_bytes((tmp_path / "in" / "good.nii.gz").read_bytes()[:500])
    ended = sst("translate", tmp_path / "in", tmp_path / "out", "--model", tiny_model, "--report", tmp_path / "r.json")
    assert ended.code == 1
    assert "bad.nii.gz" in ended.err and "1 of 2 volumes could not be translated" in ended.err
    assert [p.name for p in (tmp_path / "out").glob("*.nii.gz")] == ["good_synthetic.nii.gz"]
    report = read_report(tmp_path / "r.json")
    assert len(report["volumes"]) == 1 and report["failed"][0]["input"].endswith("bad.nii.gz")


def test_a_real_dicom_series_and_no_word_of_the_patient(sst, tiny_model, tmp_path, shared_data):
    pydicom = pytest.importorskip("pydicom")
    folder = shared_data / "dicom" / "vs-seg-001"
    series = tmp_path / "series"
    series.mkdir()
    files = sorted(folder.glob("*.dcm"))[:6]
    for file in files:
        (series / file.name).write_bytes(file.read_bytes())
    out, report = tmp_path / "o.nrrd", tmp_path / "r.json"
    assert sst("translate", series, out, "--model", tiny_model, "--report", report, "--no-quality").code == 0
    assert read_volume(out).size == (512, 512, 6)
    patient = str(pydicom.dcmread(files[0]).PatientName)
    assert patient and patient not in report.read_text() and patient not in str(header(out))


def test_a_radiograph(sst, tiny_model, tmp_path, shared_data):
    picture = sorted((shared_data / "xray").glob("*.png"))[0]
    assert sst("translate", picture, tmp_path / "x.png", "--model", tiny_model).code == 0
    before, after = read_volume(picture), read_volume(tmp_path / "x.png")
    assert after.size == before.size


def test_what_is_refused_leaves_nothing(refused, head, tiny_model, tmp_path):
    volume = read_volume(head)

    def made(name, array, **changes):
        path = tmp_path / "in" / name
        write_volume(Volume(array, changes.get("spacing", volume.spacing)), path)
        return path

    nan = np.full((1, 4, 16, 16), np.nan, np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(nan[0]), str(tmp_path / "in" / "nan.nrrd"))
    four = sitk.GetImageFromArray(np.ones((3, 4, 16, 16), np.float32), isVector=False)
    sitk.WriteImage(four, str(tmp_path / "in" / "four.nii"))
    truncated = tmp_path / "in" / "cut.nrrd"
    truncated.write_bytes(head.read_bytes()[:-400])
    (tmp_path / "in" / "empty.nii.gz").write_bytes(b"")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    (tmp_path / "nothing").mkdir()
    constant = made("constant.nrrd", np.full((1, 4, 16, 16), 7, np.int16))
    colour = made("colour.nrrd", np.random.default_rng(0).integers(0, 255, (3, 4, 16, 16)).astype(np.uint8))
    out = tmp_path / "out" / "o.nrrd"
    out.parent.mkdir()
    good = ["translate", head, out, "--model", tiny_model]
    for arguments, words in (
        (["translate", tmp_path / "in" / "absent.nii", *good[2:]], "does not exist"),
        (["translate", tmp_path / "in" / "nan.nrrd", *good[2:]], "NaN"),
        (["translate", tmp_path / "in" / "four.nii", *good[2:]], "4 dimensions"),
        (["translate", truncated, *good[2:]], "truncated"),
        (["translate", tmp_path / "in" / "empty.nii.gz", *good[2:]], "empty"),
        (["translate", tmp_path / "in" / "notes.txt", *good[2:]], "format"),
        (["translate", tmp_path / "nothing", *good[2:]], "No input volume"),
        (["translate", constant, *good[2:]], "constant"),
        (["translate", colour, *good[2:]], "colour"),
        ([*good[:2], tmp_path / "absent" / "o.nrrd", *good[3:]], "does not exist"),
        ([*good[:2], tmp_path / "out" / "o.docx", *good[3:]], "format"),
        ([*good[:2], head, *good[3:]], "overwrite its own input"),
        ([*good[:4], tmp_path / "nothing"], "no model"),
        ([*good, "--direction", "up"], "--direction"),
        ([*good, "--plane", "diagonal"], "--plane"),
        ([*good, "--strength", "1.5"], "--strength"),
        ([*good, "--device", "cuda:99"], "CUDA"),
        ([*good, "--device", "abacus"], "abacus"),
        ([*good, "--precision", "fp7"], "fp7"),
        ([*good, "--precision", "fp16", "--device", "cpu"], "fp16"),
        ([*good, "--backend", "steam"], "steam"),
        ([*good, "--batch-size", "0"], "batch"),
        ([*good, "--mask", constant.parent / "absent.nrrd"], "does not exist"),
        ([*good, "--progress", "loud"], "--progress"),
        ([*good, "--report", tmp_path / "absent" / "r.json"], "does not exist"),
    ):
        sentence = refused(*arguments)
        assert words in sentence, (arguments, sentence)
        assert list(out.parent.iterdir()) == [], arguments


def test_a_mask_elsewhere_is_refused(refused, head, tiny_model, tmp_path):
    mask = Volume(np.ones((1, 4, 4, 4), np.uint8), (1, 1, 1), (5000.0, 0, 0))
    write_volume(mask, tmp_path / "m.nrrd")
    assert "does not overlap" in refused(
        "translate", head, tmp_path / "o.nrrd", "--model", tiny_model, "--mask", tmp_path / "m.nrrd"
    )


def test_a_full_disk_is_one_sentence(refused, head, tiny_model, tmp_path, monkeypatch):
    import errno
    from pathlib import Path

    def full(_self, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "touch", full)
    out = tmp_path / "out"
    out.mkdir()
    assert "No space left" in refused("translate", head, out / "o.nrrd", "--model", tiny_model, code=1)
    assert list(out.iterdir()) == []


def test_a_file_of_two_places_is_translated_with_a_warning(sst, head, tiny_model, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = read_volume(head)
    form = np.eye(4)
    form[:3] = np.diag([-1.0, -1, 1]) @ np.column_stack([volume.direction * volume.spacing, volume.origin])
    moved = form.copy()
    moved[:3, 3] += (20, 0, 0)
    image = nibabel.Nifti1Image(volume.array[0].T, None)
    image.set_qform(form, 1)
    image.set_sform(moved, 2)
    nibabel.save(image, tmp_path / "two.nii")
    report = tmp_path / "r.json"
    ended = sst("translate", tmp_path / "two.nii", tmp_path / "o.nii.gz", "--model", tiny_model, "--report", report)
    assert ended.code == 0 and "up to 20.0 mm apart" in " ".join((ended.out + ended.err).split())
    assert any("its qform is used, as in 3D Slicer" in text for text in read_report(report)["warnings"])
    assert read_volume(tmp_path / "o.nii.gz").same_grid(volume)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd"])
def test_a_sheared_volume_keeps_its_place_or_is_refused(sst, head, tiny_model, tmp_path, ending):
    volume = read_volume(head)
    direction = np.array([[1, 0.015, 0], [0, 1, 0], [0, 0, 1.0]])
    volume = Volume(volume.array, volume.spacing, volume.origin, direction / np.linalg.norm(direction, axis=0))
    write_volume(volume, tmp_path / "sheared.nrrd")
    ended = sst("translate", tmp_path / "sheared.nrrd", tmp_path / f"o{ending}", "--model", tiny_model)
    if ending == ".nrrd":
        assert ended.code == 0
        assert np.abs(read_volume(tmp_path / "o.nrrd").corners() - volume.corners()).max() < 1e-9
    else:
        assert ended.code == 2 and "write a .nrrd instead" in " ".join((ended.out + ended.err).split())
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "sheared.nrrd"]


@pytest.mark.parametrize(("name", "sentence"), [("o.nii.gz", "write a .nrrd instead"), ("o.MHD", "call it o.mhd")])
@pytest.mark.parametrize("command", ["translate", "stylize", "register", "fuse"])
def test_what_cannot_be_written_is_told_before_anything_is_computed(
    sst, head_volume, tiny_model, tmp_path, monkeypatch, command, name, sentence
):
    from surgical_style_engine.app import fuse_case, translate_case
    from surgical_style_engine.app.through import register_case
    from surgical_style_engine.inference import stylize

    # Where they are called: what was imported while they are replaced would keep the replacement.
    for module, function in (
        (translate_case, "translate_volume"),
        (stylize, "stylize_volume"),
        (register_case, "register_rigid"),
        (fuse_case, "fuse_volumes"),
    ):
        assert hasattr(module, function)
        monkeypatch.setattr(module, function, lambda *_, **__: pytest.fail("computed in vain"))
    volume, direction = head_volume(), np.array([[1, 0.015, 0], [0, 1, 0], [0, 0, 1.0]])
    write_volume(volume, tmp_path / "other.nrrd")
    volume = Volume(volume.array, volume.spacing, volume.origin, direction / np.linalg.norm(direction, axis=0))
    write_volume(volume, tmp_path / "sheared.nrrd")
    painted = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(painted, isVector=True), tmp_path / "style.png")
    others = [tmp_path / "other.nrrd"] if command in ("register", "fuse") else []
    options = {"translate": ["--model", tiny_model], "stylize": ["--style", tmp_path / "style.png"]}.get(command, [])
    ended = sst(command, tmp_path / "sheared.nrrd", *others, tmp_path / name, *options)
    assert ended.code == 2 and sentence in " ".join((ended.out + ended.err).split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.nrrd", "sheared.nrrd", "style.png"]


def cohort(folder, head_volume, names, masks=()):
    """Volumes and masks of these names in the folders "in" and "masks"."""
    for kind, listed in (("in", names), ("masks", masks)):
        (folder / kind).mkdir()
        for number, name in enumerate(listed):
            volume = head_volume(number)
            array = volume.array if kind == "in" else (volume.array > 300).astype(np.uint8)
            write_volume(volume.with_array(array), folder / kind / f"{name}.nii.gz")


def test_another_patients_mask_is_never_taken(refused, head_volume, tiny_model, tmp_path):
    cohort(tmp_path, head_volume, ["BraTS2021_00001", "BraTS2021_00002"], ["BraTS2021_00002"])
    common = ("--model", tiny_model, "--mask", tmp_path / "masks")
    for source, output in ((tmp_path / "in", "out"), (tmp_path / "in" / "BraTS2021_00001.nii.gz", "o.nii.gz")):
        sentence = refused("translate", source, tmp_path / output, *common)
        assert sentence == f"No mask in {tmp_path / 'masks'} goes with BraTS2021_00001.nii.gz."
        assert not (tmp_path / output).exists()


def test_one_mask_is_not_laid_on_all_volumes(refused, head_volume, tiny_model, tmp_path):
    cohort(tmp_path, head_volume, ["p1", "p2"], ["p1"])
    mask = tmp_path / "masks" / "p1.nii.gz"
    sentence = refused("translate", tmp_path / "in", tmp_path / "out", "--model", tiny_model, "--mask", mask)
    assert sentence == "p1.nii.gz is one mask for 2 volumes; give a folder with a mask of each."


def test_a_mask_found_by_other_than_an_equal_name_is_told(sst, head_volume, tiny_model, tmp_path):
    cohort(tmp_path, head_volume, ["p1_T1", "p2"], ["p1_mask", "p2"])
    arguments = ("--model", tiny_model, "--mask", tmp_path / "masks", "--report", tmp_path / "r.json", "--no-quality")
    ended = sst("translate", tmp_path / "in", tmp_path / "out", *arguments)
    told = "By its name, the mask p1_mask.nii.gz was taken to belong to p1_T1.nii.gz."
    assert ended.code == 0 and told in ended.err.splitlines()
    assert read_report(tmp_path / "r.json")["paired"] == [told]


def test_the_output_of_a_cohort_is_no_file_name(refused, head_volume, tiny_model, tmp_path):
    cohort(tmp_path, head_volume, ["p1", "p2"])
    for name in ("o.nii.gz", "o.png", "o.NRRD", "o.dcm"):
        words = refused("translate", tmp_path / "in", tmp_path / name, "--model", tiny_model)
        assert "a folder of 2 volumes, so the output must be a folder" in words and not (tmp_path / name).exists()


def test_a_cohort_of_which_nothing_can_be_translated_has_a_report_all_the_same(sst, tiny_model, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.nii.gz").write_bytes(b"nothing of the kind")
    ended = sst("translate", tmp_path / "in", tmp_path / "out", "--model", tiny_model, "--report", tmp_path / "r.json")
    assert ended.code == 1 and "Traceback" not in ended.err
    assert ended.err.strip().splitlines()[-1] == "sst: 2 of 2 volumes could not be translated."
    report = read_report(tmp_path / "r.json")
    assert report["volumes"] == [] and [entry["input"][-8:] for entry in report["failed"]] == ["a.nii.gz", "b.nii.gz"]
    assert report["quality"] == {} and report["slices"] == 0 and report["strength"] == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.csv", "summary.html"]


def test_warnings_are_told_beside_json_lines_too(sst, head_volume, tiny_model, tmp_path):
    ct = head_volume()
    write_volume(ct.with_array(ct.array - 1000), tmp_path / "ct.nrrd")
    ended = sst("translate", tmp_path / "ct.nrrd", tmp_path / "o.nrrd", "--model", tiny_model, "--progress", "json")
    assert ended.code == 0 and "Warning: The image looks like CT" in ended.err
    assert all("progress" in json.loads(line) for line in ended.out.splitlines())

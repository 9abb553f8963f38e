"""Multi-frame DICOM: places and scales of frames."""

import numpy as np
import pytest
from dicom_files import bad, rotation, write_frames, write_series, write_slice

from surgical_style_engine.imageio.read import read_volume

pydicom = pytest.importorskip("pydicom")


class TestFrames:
    stored = np.random.default_rng(0).integers(0, 4000, (7, 6, 9)).astype(np.uint16)

    @pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [0, 2, 4, 6, 1, 3, 5]])
    @pytest.mark.parametrize("direction", [np.eye(3), rotation(0.3, -0.2, 0.5)], ids=["axial", "oblique"])
    def test_are_put_in_order_of_their_place(self, tmp_path, order, direction):
        write_frames(tmp_path / "f.dcm", self.stored[order], np.array(order) * 2.5, direction)
        (tmp_path / "s").mkdir()
        write_frames(tmp_path / "s" / "f.dcm", self.stored[order], np.array(order) * 2.5, direction)
        for path in (tmp_path / "f.dcm", tmp_path / "s"):
            volume = read_volume(path)
            assert np.array_equal(volume.array[0], self.stored)
            assert np.allclose(volume.spacing, (0.25, 0.5, 2.5), atol=1e-5) and not volume.is_2d
            assert np.allclose(volume.origin, (-20, 15, 7), atol=1e-5)
            assert np.allclose(volume.direction, direction, atol=1e-5) and "Warning" not in volume.metadata

    def test_of_several_files_make_one_volume(self, tmp_path):
        write_frames(tmp_path / "a.dcm", self.stored[[1, 3, 5]], np.array([1, 3, 5]) * 2.5)
        write_frames(tmp_path / "b.dcm", self.stored[[0, 2, 4, 6]], np.array([0, 2, 4, 6]) * 2.5)
        volume = read_volume(tmp_path)
        assert np.array_equal(volume.array[0], self.stored) and np.allclose(volume.spacing, (0.25, 0.5, 2.5))

    def test_one_alone_has_its_place(self, tmp_path):
        write_frames(tmp_path / "f.dcm", self.stored[:1], [4.0])
        volume = read_volume(tmp_path / "f.dcm")
        assert volume.spacing == (0.25, 0.5, 3.0) and volume.origin == (-20, 15, 11) and not volume.is_2d

    @pytest.mark.parametrize("shared", [True, False])
    def test_of_one_scale_are_in_its_units(self, tmp_path, shared):
        write_frames(
            tmp_path / "f.dcm",
            self.stored,
            np.arange(7) * 2.5,
            slopes=2,
            intercepts=-1024,
            shared_scale=shared,
            modality="CT",
        )
        volume = read_volume(tmp_path / "f.dcm")
        assert np.array_equal(volume.array[0], self.stored.astype(int) * 2 - 1024)
        assert volume.metadata["RescaleType"] == "HU" and volume.metadata["Modality"] == "CT"

    @pytest.mark.parametrize("first", [1.0, 0.5])
    def test_of_a_scale_each_are_scaled_by_it(self, tmp_path, first):
        slopes, intercepts = first + 0.1 * np.arange(7), -10.0 * np.arange(7)
        order = [0, 2, 4, 6, 1, 3, 5]
        write_frames(tmp_path / "f.dcm", self.stored, np.array(order) * 2.5, slopes=slopes, intercepts=intercepts)
        expected = self.stored * slopes[:, None, None] + intercepts[:, None, None]
        assert np.allclose(read_volume(tmp_path / "f.dcm").array[0][order], expected, rtol=1e-6, atol=1e-3)

    def test_that_make_no_volume(self, tmp_path):
        place = np.arange(7) * 2.5
        for name, sentence, changes in [
            ("gap", "lacks about 2", {"offsets": [0, 2.5, 5, 7.5, 15, 17.5, 20]}),
            ("times", "several images at one place", {"offsets": [0, 2.5, 5, 0, 2.5, 5, 7.5]}),
            ("stacks", "2 stacks", {"stacks": "12"}),
            ("sizes", "different PixelSpacing", {"spacing": [[1, 1]] * 3 + [[0.5, 0.5]] * 4}),
            ("nowhere", "ImagePositionPatient", {"without": "ImagePositionPatient"}),
            ("unturned", "ImageOrientationPatient|damaged", {"without": "ImageOrientationPatient"}),
            ("unsized", "PixelSpacing", {"without": "PixelSpacing"}),
            ("film", "without a place each", {"PerFrameFunctionalGroupsSequence": None}),
        ]:
            write_frames(tmp_path / f"{name}.dcm", self.stored, **{"offsets": place, **changes})
            bad(tmp_path / f"{name}.dcm", sentence)

    def test_a_film_is_no_volume(self, tmp_path):
        write_slice(tmp_path / "film.dcm", self.stored[0], Modality="XA")
        data = pydicom.dcmread(tmp_path / "film.dcm")
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.12.1"
        data.NumberOfFrames, data.PixelData = 7, self.stored.tobytes()
        data.save_as(tmp_path / "film.dcm")
        bad(tmp_path / "film.dcm", "7 frames without a place each")

    def write_plain(self, path, kind, array=None, **tags):
        """A multi-frame file without functional groups: the place of the first frame stands for all."""
        array = self.stored if array is None else array
        write_slice(path, array[0], (-20, 15, 7), series="1.2.3.88")
        data = pydicom.dcmread(path)
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = f"1.2.840.10008.5.1.4.1.1.{kind}"
        data.NumberOfFrames, data.PixelData = len(array), array.tobytes()
        for name, value in tags.items():
            setattr(data, name, value) if value is not None else delattr(data, name)
        data.save_as(path)

    axes = [1.0, 0, 0, 0, 0.8, 0.6]
    normal = np.array([0, -0.6, 0.8])

    @pytest.mark.parametrize("distance", [2.2, -2.2])
    @pytest.mark.parametrize("order", [None, [0, 1, 2, 3, 4, 5, 6], [0, 2, 4, 6, 1, 3, 5]])
    @pytest.mark.parametrize("within", [True, False])
    def test_of_nuclear_medicine_have_one_place_for_all(self, tmp_path, distance, order, within):
        from pydicom.dataset import Dataset
        from pydicom.sequence import Sequence

        tags = {"ImageType": ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"], "SpacingBetweenSlices": distance}
        tags["ImageOrientationPatient"] = self.axes
        if within:
            detector = Dataset()
            detector.ImagePositionPatient, detector.ImageOrientationPatient = [-20, 15, 7], self.axes
            tags |= {"DetectorInformationSequence": Sequence([detector])}
            tags |= {"ImagePositionPatient": None, "ImageOrientationPatient": None}
        array = self.stored
        if order is not None:
            array = array[order]
            tags |= {"SliceVector": [number + 1 for number in order], "FrameIncrementPointer": 0x00540080}
        self.write_plain(tmp_path / "f.dcm", "20", array, Modality="NM", **tags)
        volume = read_volume(tmp_path / "f.dcm")
        first = np.array([-20, 15, 7]) + (self.normal * 6 * distance if distance < 0 else 0)
        assert np.array_equal(volume.array[0], self.stored[:: 1 if distance > 0 else -1])
        assert np.allclose(volume.spacing, (0.25, 0.5, 2.2)) and np.allclose(volume.origin, first)
        assert np.allclose(volume.direction[:, 2], self.normal) and not volume.is_2d
        assert "Warning" not in volume.metadata

    def test_of_cone_beam_ct_have_one_place_and_scale_for_all(self, tmp_path):
        tags = {"RescaleSlope": 2, "RescaleIntercept": -1000, "RescaleType": "HU", "SpacingBetweenSlices": 0.3}
        self.write_plain(tmp_path / "f.dcm", "2", Modality="CT", SliceThickness=0.3, **tags)
        volume = read_volume(tmp_path / "f.dcm")
        assert np.array_equal(volume.array[0], self.stored.astype(int) * 2 - 1000)
        assert np.allclose(volume.spacing, (0.25, 0.5, 0.3)) and np.allclose(volume.origin, (-20, 15, 7))
        assert volume.metadata["RescaleType"] == "HU"

    def test_of_one_gate_are_slices(self, tmp_path):
        tags = {"ImageType": ["ORIGINAL", "PRIMARY", "RECON GATED TOMO"], "SpacingBetweenSlices": 2.0}
        tags |= {"FrameIncrementPointer": [0x00540070, 0x00540080], "TimeSlotVector": [1] * 7}
        self.write_plain(tmp_path / "f.dcm", "20", Modality="NM", **tags)
        assert np.array_equal(read_volume(tmp_path / "f.dcm").array[0], self.stored)

    @pytest.mark.parametrize(("start", "step"), [(0, 2.5), (7, 2.5), (0, -2.5), (7, -2.5)])
    @pytest.mark.parametrize("up", [1, -1])
    def test_of_a_dose_lie_at_their_offsets(self, tmp_path, start, step, up):
        """Offsets that begin with 0 run along the normal, others are heights in the patient."""
        tags = {"GridFrameOffsetVector": [start + step * i for i in range(7)], "FrameIncrementPointer": 0x3004000C}
        tags["ImageOrientationPatient"] = [up, 0, 0, 0, 1, 0]
        self.write_plain(tmp_path / "f.dcm", "481.2", Modality="RTDOSE", DoseGridScaling=0.001, **tags)
        volume = read_volume(tmp_path / "f.dcm")
        height = np.array([7.0, 7 + 6 * step * (1 if start else up)])
        assert np.allclose(np.unique(volume.corners()[:, 2].round(3))[[0, -1]], np.sort(height), atol=1e-3)
        place = volume.to_sitk().TransformPhysicalPointToIndex((-20, 15, 7))
        z = place[2]
        assert place[:2] == (0, 0) and z in (0, 6)
        assert np.array_equal(volume.array[0, :: 1 if z == 0 else -1], self.stored)  # as ITK, without DoseGridScaling
        assert np.allclose(volume.spacing, (0.25, 0.5, 2.5))

    def test_without_a_place_for_all_make_no_volume(self, tmp_path):
        recon = {"Modality": "NM", "ImageType": ["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]}
        gates = [0x00540070, 0x00540080]
        for kind, tags, sentence in [
            ("2", {"SpacingBetweenSlices": None}, "no usable SpacingBetweenSlices"),
            ("2", {"SpacingBetweenSlices": 0}, "several images at one place"),
            ("2", {"ImagePositionPatient": None}, "no usable ImagePositionPatient"),
            ("2", {"ImageOrientationPatient": None}, "no usable ImageOrientationPatient"),
            ("2", {"PixelSpacing": None}, "no usable PixelSpacing"),
            ("2", {"FrameIncrementPointer": 0x00181063, "FrameTime": 40}, "in time"),
            ("20", {"Modality": "NM", "ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]}, "views, not slices"),
            ("20", recon | {"FrameIncrementPointer": gates}, "not only slices"),
            ("20", recon | {"FrameIncrementPointer": gates, "TimeSlotVector": [1, 1, 1, 2, 2, 2, 2]}, "only slices"),
            ("20", {"Modality": "NM", "SliceVector": [1, 2, 3, 4, 1, 2, 3]}, "several images at one place"),
            ("481.2", {"GridFrameOffsetVector": [0, 1, 2]}, "no usable GridFrameOffsetVector"),
            ("481.2", {"GridFrameOffsetVector": list(range(7, 14)), "ImageOrientationPatient": self.axes}, "heights"),
        ]:
            tags = {"Modality": "CT", "SpacingBetweenSlices": 2.0} | tags
            tags = {name: value for name, value in tags.items() if value is not None or name != "SpacingBetweenSlices"}
            self.write_plain(tmp_path / "f.dcm", kind, **tags)
            bad(tmp_path / "f.dcm", sentence)

    def test_need_pydicom(self, tmp_path, monkeypatch):
        import sys

        write_frames(tmp_path / "f.dcm", self.stored, np.arange(7) * 2.5)
        write_series(tmp_path / "s", [0, 2, 4])
        monkeypatch.setitem(sys.modules, "pydicom", None)
        bad(tmp_path / "f.dcm", "needs the Python package pydicom")
        assert read_volume(tmp_path / "s").size == (9, 6, 3)

    def test_that_end_too_early(self, tmp_path):
        write_frames(tmp_path / "f.dcm", self.stored, np.arange(7) * 2.5)
        (tmp_path / "f.dcm").write_bytes((tmp_path / "f.dcm").read_bytes()[:-60])
        bad(tmp_path / "f.dcm", "damaged")

    @pytest.mark.parametrize("bits", [1, 8])
    def test_of_a_segmentation_are_refused(self, tmp_path, bits):
        write_frames(tmp_path / "f.dcm", self.stored, np.arange(7) * 2.5)
        data = pydicom.dcmread(tmp_path / "f.dcm")
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
        data.Modality, data.BitsAllocated, data.BitsStored, data.HighBit = "SEG", bits, bits, bits - 1
        data.PixelData = bytes(8 if bits == 1 else 7 * 54)
        (tmp_path / "s").mkdir()
        for path in (tmp_path / "f.dcm", tmp_path / "s" / "f.dcm"):
            data.save_as(path)
        bad(tmp_path / "f.dcm", "is a DICOM segmentation, which cannot be read; save it as .nrrd")
        bad(tmp_path / "s", "is a segmentation|no DICOM images")

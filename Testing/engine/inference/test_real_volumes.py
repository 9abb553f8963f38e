"""Real volumes of every kind through an untrained network."""

import numpy as np
import pytest
from tiny_models import make_tiny_model

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.air import flat_background
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model

REAL = {
    "mr": "open-ms/longitudinal/patient04_study1_T1W.nii.gz",
    "extracted": "open-ms/mni/patient07_T1.nii.gz",
    "dicom": "dicom/vs-seg-001",
    "ct": "ct/totalseg_example_ct.nii.gz",
    "xray": "xray/nih_00000001_000.png",
    "painting": "art/the_scream.jpg",
}


class TestRealVolumes:
    """An untrained network at a coarse spacing: the whole way, quickly."""

    @pytest.fixture(scope="class")
    def models(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("real")
        return {
            modality: load_model(make_tiny_model(folder, modality or "none", modality=modality, spacing_mm=4.0))
            for modality in ("MR", "CT", "")
        } | {"RGB": load_model(make_tiny_model(folder, "rgb", modality="", channels=3))}

    @pytest.mark.parametrize("name", REAL)
    def test_every_kind(self, shared_data, models, name):
        volume = read_volume(shared_data / REAL[name])
        model = models[{"ct": "CT", "xray": "", "painting": "RGB"}.get(name, "MR")]
        made = translate_volume(volume, model, planes=["sagittal"] if name == "mr" else None, batch_size=8)
        assert made.volume.array.shape == volume.array.shape and made.volume.array.dtype == np.float32
        assert made.volume.same_grid(volume) and made.volume.origin == volume.origin
        assert np.isfinite(made.volume.array).all() and made.volume.array.std() > 1
        assert made.warnings == [] and made.slices > (0 if volume.is_2d else 20)
        assert np.abs(made.normalized_output - made.normalized_input).mean() > 0.01
        if name == "extracted":
            air = flat_background(made.normalized_input)
            assert air.mean() > 0.3 and np.array_equal(made.normalized_output[air], made.normalized_input[air])

    def test_the_wrong_kind_is_noticed(self, shared_data, models):
        ct, mr, series = (read_volume(shared_data / REAL[name]) for name in ("ct", "mr", "dicom"))
        with pytest.raises(InputError, match="is CT by its voxels and the name .*, but the model MR takes MR"):
            translate_volume(ct, models["MR"], batch_size=8)
        assert any("expects CT" in w for w in translate_volume(mr, models["CT"], batch_size=8).warnings)
        with pytest.raises(InputError, match="is MR by its header, but the model CT takes CT"):
            translate_volume(series, models["CT"])

    def test_a_mask_of_another_study_lies_on_another_grid(self, shared_data, models):
        folder = shared_data / "open-ms" / "longitudinal"
        volume = read_volume(folder / "patient04_study1_T1W.nii.gz")
        mask = read_volume(folder / "patient04_brainmask.nii.gz")
        assert mask.size != volume.size
        made = translate_volume(volume, models["MR"], mask=mask, batch_size=8)
        changed = np.abs(made.volume.array - volume.array) > 0
        assert 0.05 < changed.mean() < 0.5
        # The outermost voxels of a head scan are no brain.
        assert not changed[:, :, :20].any() and not changed[:, :, -20:].any()

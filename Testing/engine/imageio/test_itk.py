"""The settings of ITK, which belong to the whole process."""

import SimpleITK as sitk
from image_files import bad, make

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume


def test_the_setting_for_itks_warnings_stays_as_it_was(tmp_path):
    """It belongs to the whole process; inside Slicer others rely on it."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    try:
        for shown in (True, False):
            sitk.ProcessObject.SetGlobalWarningDisplay(shown)
            write_volume(make(), tmp_path / "v.nrrd")
            read_volume(tmp_path / "v.nrrd")
            bad(tmp_path / "none.nrrd", "does not exist")
            assert sitk.ProcessObject.GetGlobalWarningDisplay() == shown
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)

"""Where the runs of a careful translation disagree."""

import numpy as np
from scene_helpers import composites, matrix_of, volume_names


def test_the_map_of_a_careful_run(slicer_app, scene, ready, apply):
    widget = ready()
    box = widget.ui.disagreementCheckBox
    first = apply(widget)
    assert not box.enabled and "careful" in box.toolTip
    widget._parameterNode.plane = "all"
    result = apply(widget)
    assert box.enabled and volume_names(scene)[-1].endswith("disagreement")
    box.checked = True
    node = scene.GetFirstNodeByName(f"{result.GetName()} disagreement")
    np.testing.assert_array_equal(matrix_of(node), matrix_of(result))
    array = slicer_app.util.arrayFromVolume(node)
    assert array.min() >= 0 and array.max() > 0 and not array[0, 0].any(), "planes agree on air"
    for shown in composites().values():
        assert shown.GetForegroundVolumeID() == node.GetID() and shown.GetBackgroundVolumeID() == result.GetID()
    box.checked = False
    assert all(shown.GetForegroundVolumeID() is None for shown in composites().values())
    widget._parameterNode.resultVolume = first
    assert not box.enabled, "it is another result's"
    # It is no volume to translate.
    from SurgicalStyleTransferLib.mrml import volume_groups

    assert [entry.GetName() for entry in volume_groups.volumes_in(volume_groups.groups()[0][1])] == ["Head"]

"""Everything a user chooses in the panel; saved with the scene."""

from typing import Annotated, Union

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLVectorVolumeNode,
)
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

# Unions, because a node selector bound to a parameter offers exactly the classes named here; with None, because a
# union does not take it otherwise.
AnyVolume = Union[vtkMRMLScalarVolumeNode, vtkMRMLVectorVolumeNode, None]  # noqa: UP007
AnyRegion = Union[vtkMRMLSegmentationNode, vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007


@parameterNodeWrapper
class SurgicalStyleTransferParameterNode:
    """The choices by the names that scenes keep.

    inputVolume - what is translated.
    region - segmentation or labelmap outside of which the input stays.
    segment - segment ID within a segmentation.
    frames - for sequences: "ask", "current" or "all".
    model - name of the model's folder; or a look: "look:" with a path, or alone for that of lookVolume.
    lookVolume - volume whose look is taken on.
    direction - "forward" or "backward"; of a model for many domains a route, such as "T1w+FLAIR>T2w".
    otherInputs - volumes of which a model for many domains makes the result beside the input volume.
    inputKinds - JSON list: the domain that the input volume and each of them is said to be; "" where it is recognised.
    inputKindOf - the input volume of which that is said.
    outputVolume - volume to overwrite; none makes a new one.
    strength - blend of input (0) and translation (1).
    resultVolume - the latest result; what strength, compare and figures work on.
    previewView - layout name of the slice view with the preview; empty for none.
    compare - "", "sides", "fade" or "checkerboard".
    fade - opacity of the translation over the input while fading.
    referenceVolume - registered volume of the target domain for the figures.
    figures - after every run the "verdict" alone, or figures, "quick" or "all"; or nothing, "off".
    showErrorMap - overlay of the cycle error.
    showErrorBound - overlay of the calibrated error bound.
    structureGuard - mm below which structures come from the input; 0 for off.
    matchVolume, matchBy - volume whose intensities the output takes on; "histogram" or "moments".
    flattenBias - remove the input's bias field first.
    automaticStrength, leastConsistency - choose the strength by the Semantic Consistency that it keeps.
    ensemble - average over planes, flips and shifts.
    fusionVolumes - volumes to fuse with the input volume.
    fusionWeights - JSON list: the input volume's weight and one for each of them.
    fusionMethod, fusionRegister - how they are fused, and whether they are laid over the input volume first.
    device, precision, plane, batchSize - how the engine runs; 0 leaves the batch size to it.
    """

    inputVolume: AnyVolume
    region: AnyRegion
    segment: str = ""
    frames: str = "ask"
    model: str = ""
    lookVolume: AnyVolume
    direction: str = "forward"
    otherInputs: list[vtkMRMLScalarVolumeNode]
    inputKinds: str = "[]"
    inputKindOf: AnyVolume
    outputVolume: AnyVolume
    strength: Annotated[float, WithinRange(0, 1)] = 1.0
    resultVolume: AnyVolume
    preview: bool = False
    previewView: str = "Red"
    compare: str = ""
    fade: Annotated[float, WithinRange(0, 1)] = 0.5
    referenceVolume: AnyVolume
    figures: str = "verdict"
    showErrorMap: bool = False
    showErrorBound: bool = False
    structureGuard: Annotated[float, WithinRange(0, 50)] = 0.0
    matchVolume: AnyVolume
    matchBy: str = "histogram"
    flattenBias: bool = False
    automaticStrength: bool = False
    leastConsistency: Annotated[float, WithinRange(0, 1)] = 0.7
    ensemble: bool = False
    fusionVolumes: list[vtkMRMLScalarVolumeNode]
    fusionWeights: str = "[1.0]"
    fusionMethod: str = "pyramid"
    fusionRegister: bool = True
    device: str = "auto"
    precision: str = "auto"
    plane: str = ""
    batchSize: Annotated[int, WithinRange(0, 256)] = 0

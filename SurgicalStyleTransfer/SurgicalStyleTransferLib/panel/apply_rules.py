"""When Apply can be pressed, and what its tooltip says when it cannot."""

from __future__ import annotations

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.setup.model_cards import Card


def why_not(parameters: object, card: Card | None, any_cards: bool, problem: str) -> str:
    """The reason why Apply is disabled, or "" when it may be pressed.

    Args:
        parameters: the parameter node.
        card: the style that is selected, if it is on this machine.
        any_cards: whether there is any style.
        problem: what the worker found wrong with the input, if it was asked.
    """
    volume = parameters.inputVolume
    if volume is None:
        return _("Select an input volume.")
    if volume.GetImageData() is None or volume.GetImageData().GetNumberOfPoints() == 0:
        return _("The input volume is empty.")
    return (
        why_not_style(parameters, card, any_cards)
        or _why_not_input(volume, card.starts_in(parameters.direction).channels)
        or _why_not_look(parameters, card)
        or _why_not_region(parameters)
        or _why_not_output(parameters, card)
        or problem
    )


def why_not_style(parameters: object, card: Card | None, any_cards: bool) -> str:
    """The reason why the selected style cannot be applied to anything, or "".

    Args:
        parameters: the parameter node.
        card: the style that is selected, if it is on this machine.
        any_cards: whether there is any style.
    """
    if card is None:
        return _("Select a style.") if any_cards else _("There is no style yet. Import one under Style.")
    if card.problem:
        return card.problem
    return "" if card.goes(parameters.direction) else _("Select a direction.")


def _why_not_input(volume: object, channels_of_style: int) -> str:
    channels = volume.GetImageData().GetNumberOfScalarComponents()
    if channels not in (1, 3, 4):
        return _("The input volume has {count} components; greyscale and colour volumes can be used.").format(
            count=channels
        )
    if channels_of_style == 1 and channels != 1:
        return _("The style takes greyscale volumes; the input is in colour.")
    if channels_of_style == 3 and channels == 1:
        return _("The style takes colour volumes; the input is greyscale.")
    return ""


def _why_not_look(parameters: object, card: Card) -> str:
    if not card.is_look:
        return ""
    if card.volume_id and card.volume_id == parameters.inputVolume.GetID():
        return _("The look is that of the input itself; select another volume as input, or another look.")
    return _("A look is taken on by the whole volume; choose no region.") if parameters.region is not None else ""


def _why_not_region(parameters: object) -> str:
    region = parameters.region
    if region is not None and region.IsA("vtkMRMLSegmentationNode"):
        if region.GetSegmentation().GetSegment(parameters.segment) is None:
            return _("Select a segment as the region, or choose the whole volume.")
    elif region is not None and region.GetImageData() is None:
        return _("The region is empty.")
    return ""


def _why_not_output(parameters: object, card: Card) -> str:
    output = parameters.outputVolume
    if output is None:
        return ""
    if output is parameters.inputVolume:
        return _("The output is the input itself; choose another volume or a new one.")
    is_colour = output.IsA("vtkMRMLVectorVolumeNode")
    if is_colour != (card.ends_in(parameters.direction).channels == 3):
        return _("The output volume is of another kind than the result; choose a new volume.")
    return ""

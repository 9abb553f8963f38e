"""The runner of a style, whatever it is: a network, an ONNX model, or a picture to optimise for."""

from __future__ import annotations

from typing_extensions import Unpack

from surgical_style_engine.backends import select
from surgical_style_engine.backends.choices import check_choices
from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.common.run_options import RunOptions, RunSettings
from surgical_style_engine.common.torch_presence import check_torch
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.models.picture_style import is_style_image


def runner_for(
    model: StyleModel, direction: str = "forward", options: RunOptions | None = None, **run: Unpack[RunSettings]
) -> Runner:
    """The runner that the options name, or one for the model by device, precision and backend.

    Args:
        model: a style.
        direction: forward or backward.
        options: how to run it.
        **run: fields of ``RunOptions``, laid over the options.

    Raises:
        InputError: for what this machine or model cannot do.
        StyleTransferError: where a library cannot make it ready.
    """
    options = RunOptions.of(options, run)
    if options.runner is not None:
        return options.runner
    device, precision, backend = options.device, options.precision, options.backend
    if not is_style_image(model.card):
        return select.make_runner(model, direction, device, precision, backend)
    model.check_direction(direction)
    check_choices(precision, backend)
    check_torch(f"The style {model.card.name}")
    from surgical_style_engine.stylize.runner import StyleImageRunner  # noqa: PLC0415 - loads torch

    return StyleImageRunner.of_model(model, device, precision, backend)

"""What scripts call: ``logic.translate(node, style="brain-mr-t1w-t2w")``, and the same for fusion and metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.adjustments import Adjustments
from SurgicalStyleTransferLib.jobs.engine import QUICK_SLICES, Engine
from SurgicalStyleTransferLib.jobs.fusion_job import FusionPlan, FusionResult, why_not
from SurgicalStyleTransferLib.jobs.job import Listener
from SurgicalStyleTransferLib.jobs.metrics_job import Verdict
from SurgicalStyleTransferLib.jobs.style_job import Plan, Result
from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.setup import dependencies, looks
from SurgicalStyleTransferLib.setup.model_cards import Card

from .turns import Turn, Turns

TIMEOUT = 3600.0  # seconds
FUSION_METHODS = ("pyramid", "guided", "detail", "weighted")
# Of plans and adjustments, what ``translate`` takes under other names.
OWN_ARGUMENTS = set("input_id card direction output_id other_ids region_id segment adjustments match_id".split())
Done = Callable[[object], None]
Failed = Callable[[str], None]


class ScriptCalls:
    """Translating, fusing and judging from Slicer's Python console and from scripts, with or without the panel.

    Each call waits, and Slicer stays usable; given ``on_done``, it comes back at once and calls it from Slicer's event
    loop. Calls that come while a job of the same kind runs take their turn. Volumes are nodes, IDs or names.

    Attributes:
        fusion_metrics: quality metrics of the latest fusion, as the report of ``sst fuse`` has them.
    """

    engine: Engine
    fusion_metrics: dict | None = None
    _turns: Turns | None = None

    def styles(self) -> list[str]:
        """The names of the styles on this machine that make one volume of one."""
        return [card.name for card in self.engine.cards() if not card.problem]

    def translate(
        self,
        node: object,
        style: str,
        *,
        direction: str = "forward",
        others: Sequence[object] = (),
        output: object | None = None,
        region: object | None = None,
        on_done: Done | None = None,
        on_error: Failed | None = None,
        **settings: object,
    ) -> object | None:
        """Apply a style to a volume.

        Example::

            logic = slicer.util.getModuleLogic("SurgicalStyleTransfer")
            t2w = logic.translate(getNode("MRHead"), style="brain-mr-t1w-t2w")

        Args:
            node: the volume.
            style: name of the style, of ``styles()``.
            direction: "forward", "backward", or the name of the domain to end in, such as "T1w"; of a style for many
                domains a route, such as "T1w+FLAIR>T2w".
            others: the other inputs of such a route, in its order.
            output: an earlier result, or an empty volume, to write to; None makes a new volume beside the input.
            region: labelmap, or (segmentation, segment ID), outside of which the input stays.
            on_done: called with the new volume; None waits for it.
            on_error: called with one sentence, where ``on_done`` is given; None logs it.
            **settings: of ``Plan`` and ``Adjustments``: strength, all_frames, planes, device, precision, batch_size,
                structure_guard_mm, match (a volume), match_by, least_consistency, flatten_bias, ensemble; and timeout
                (seconds that are waited at most).

        Returns:
            The volume node; None where ``on_done`` is given.

        Raises:
            ValueError: an argument names what is not there.
            RuntimeError: the style could not be applied, with the sentence that the panel would show.
        """
        timeout = float(settings.pop("timeout", TIMEOUT))
        card = self._card(style)
        plan = self._plan(_volume(node), card, _direction(card, direction), settings)
        plan = replace(plan, other_ids=tuple(_volume(other).GetID() for other in others))
        if len(card.given(plan.direction)) != 1 + len(others):
            raise ValueError(_("Give as many volumes as the direction names."))
        if output is not None:
            plan = replace(plan, output_id=_own_output(_volume(output, empty=True)).GetID())
        if region is not None:
            region_node, segment = region if isinstance(region, tuple) else (region, "")
            plan = replace(plan, region_id=_node(region_node).GetID(), segment=segment)
        self._ensure(**dependencies.needs_of(card))
        return self._take(
            Turn(lambda told: self.engine.apply(plan, told), lambda: self.engine.style_job, _node_of),
            on_done,
            on_error,
            timeout,
        )

    def harmonise(
        self,
        node: object,
        like: object,
        *,
        output: object | None = None,
        on_done: Done | None = None,
        on_error: Failed | None = None,
        timeout: float = TIMEOUT,
    ) -> object | None:
        """Bring a T1w, T2w or FLAIR volume of a head into the look of another, without training.

        Args:
            node: the volume.
            like: a volume of the same contrast, or the path of a folder of scans, of a scan or of a saved look.
            output: as for ``translate``.
            on_done: called with the new volume; None waits for it.
            on_error: called with one sentence, where ``on_done`` is given; None logs it.
            timeout: in seconds.

        Returns:
            The volume node; None where ``on_done`` is given.

        Raises:
            ValueError: an argument names what is not there.
            RuntimeError: the look cannot be taken on, with the sentence that the panel would show.
        """
        is_path = isinstance(like, Path) or (isinstance(like, str) and Path(like).exists())
        key, volume = (looks.key_of(Path(like).absolute()), None) if is_path else (looks.KEY, _volume(like))
        card = looks.card_of(key, volume)
        if card.problem:
            raise ValueError(card.problem)
        plan = Plan(_volume(node).GetID(), card)
        if output is not None:
            plan = replace(plan, output_id=_own_output(_volume(output, empty=True)).GetID())
        self._ensure(**dependencies.needs_of(card))
        turn = Turn(lambda told: self.engine.apply(plan, told), lambda: self.engine.style_job, _node_of)
        return self._take(turn, on_done, on_error, timeout)

    def fuse(
        self,
        nodes: list[object],
        method: str = "pyramid",
        *,
        weights: list[float] | None = None,
        register: bool = True,
        on_done: Done | None = None,
        on_error: Failed | None = None,
        timeout: float = TIMEOUT,
    ) -> object | None:
        """Fuse volumes of one patient into one.

        Args:
            nodes: the volumes, the reference first; the result has its grid and range.
            method: "pyramid", "guided", "detail", "weighted", or the name of a fusion model.
            weights: how much each volume counts; None for all alike.
            register: lay the others over the reference first.
            on_done: called with the new volume; None waits for it.
            on_error: called with one sentence, where ``on_done`` is given; None logs it.
            timeout: in seconds.

        Returns:
            The volume node; ``fusion_metrics`` are its quality metrics then. None where ``on_done`` is given.

        Raises:
            ValueError: the volumes or the method cannot be used.
            RuntimeError: the volumes could not be fused.
        """
        volumes = [_volume(node) for node in nodes]
        weights = [1.0] * len(volumes) if weights is None else list(weights)
        if len(weights) != len(volumes):
            raise ValueError(_("Give as many weights as volumes."))
        if reason := why_not(volumes, weights):
            raise ValueError(reason)
        card = None if method in FUSION_METHODS else self._fusion_card(method)
        plan = FusionPlan(
            [volume.GetID() for volume in volumes],
            weights,
            method if card is None else "learned",
            register,
            "" if card is None else str(card.folder),
        )
        self._ensure(torch=card is not None, openvino=card is not None and card.runs_in_openvino)

        def value(result: FusionResult) -> object:
            self.fusion_metrics = dict(result.metrics)
            return _node_of(result)

        turn = Turn(lambda told: self.engine.fuse(plan, told), lambda: self.engine.fusion_job, value)
        return self._take(turn, on_done, on_error, timeout)

    def judge(
        self,
        node: object,
        reference: object | None = None,
        *,
        max_slices: int | None = QUICK_SLICES,
        on_done: Done | None = None,
        on_error: Failed | None = None,
        timeout: float = TIMEOUT,
    ) -> dict | None:
        """The quality metrics of a result of ``translate``, as long as the worker that made it runs.

        Args:
            node: the translated volume.
            reference: registered volume of the target domain, for PSNR, SSIM and the like; None for what needs none.
            max_slices: how many slices the cycle metrics are computed on; None for all.
            on_done: called with the metrics; None waits for them.
            on_error: called with one sentence, where ``on_done`` is given; None logs it.
            timeout: in seconds.

        Returns:
            Metrics by name, as in a report's ``quality``; None where ``on_done`` is given.

        Raises:
            ValueError: the volume is no result that the worker keeps.
            RuntimeError: it could not be judged.
        """
        volume, other = _volume(node), None if reference is None else _volume(reference)
        result = self.engine.results.get(volume.GetID())
        if result is None or not result.keys:
            raise ValueError(
                _("{name} is no translation that the worker still keeps; translate it anew to judge it.").format(
                    name=volume.GetName()
                )
            )

        def start(told: Listener) -> None:
            self.engine.judge(volume.GetID(), other, max_slices, told)

        return self._take(Turn(start, lambda: self.engine.metrics_job, _metrics), on_done, on_error, timeout)

    def _take(self, turn: Turn, on_done: Done | None, on_error: Failed | None, timeout: float) -> object | None:
        if self._turns is None:
            self._turns = Turns()
        if on_done is None:
            return self._turns.wait(turn, timeout)
        self._turns.call_back(turn, on_done, on_error)
        return None

    def _card(self, style: str) -> Card:
        cards = {card.name: card for card in self.engine.cards()}
        if style not in cards:
            known = ", ".join(self.styles()) or _("none")
            raise ValueError(_("There is no style {name}; there is: {known}.").format(name=style, known=known))
        if cards[style].problem:
            raise ValueError(cards[style].problem)
        return cards[style]

    def _fusion_card(self, name: str) -> Card:
        cards = {card.name: card for card in self.engine.cards() if card.inputs}
        if name not in cards:
            known = ", ".join((*FUSION_METHODS, *cards))
            raise ValueError(_("There is no fusion {name}; there is: {known}.").format(name=name, known=known))
        return cards[name]

    def _plan(self, volume: object, card: Card, direction: str, settings: dict) -> Plan:
        adjusting, running = ({field.name for field in fields(kind)} - OWN_ARGUMENTS for kind in (Adjustments, Plan))
        unknown = set(settings) - adjusting - running - {"match"}
        if unknown:
            known = ", ".join(sorted(adjusting | running | {"match", "timeout"}))
            raise ValueError(
                _("Unknown settings: {names}. There is: {known}.").format(names=", ".join(sorted(unknown)), known=known)
            )
        adjustments = {name: value for name, value in settings.items() if name in adjusting}
        if settings.get("match") is not None:
            adjustments["match_id"] = _volume(settings["match"]).GetID()
        return Plan(
            volume.GetID(),
            card,
            direction,
            adjustments=Adjustments(**adjustments),
            **{name: value for name, value in settings.items() if name in running},
        )

    def _ensure(self, **needs: bool) -> None:
        """Install what is missing after asking, as Apply does."""
        try:
            installed = dependencies.ensure(**needs)
        except dependencies.InstallationError as error:
            raise RuntimeError(str(error)) from error
        if installed:
            self.engine.client.stop()


def _node(node: object) -> object:
    """A node by itself, its ID or its name."""
    if not isinstance(node, str):
        if node is None or not slicer.mrmlScene.IsNodePresent(node):
            raise ValueError(_("This is no node of the scene: {node}.").format(node=node))
        return node
    known = slicer.mrmlScene.GetNodeByID(node) or slicer.mrmlScene.GetFirstNodeByName(node)
    if known is None:
        raise ValueError(_("There is no node with the name or ID {name}.").format(name=node))
    return known


def _volume(node: object, empty: bool = False) -> object:
    """A volume node with voxels, or also one without."""
    volume = _node(node)
    if not volume.IsA("vtkMRMLVolumeNode"):
        raise ValueError(_("{name} is no volume.").format(name=volume.GetName()))
    if volume.GetImageData() is None and not empty:
        raise ValueError(_("{name} is empty.").format(name=volume.GetName()))
    return volume


def _own_output(volume: object) -> object:
    """A volume that may be written over: one of ours, or an empty one."""
    if volume.GetImageData() is not None and not outputs.is_synthetic(volume):
        raise ValueError(_("{name} is not a synthetic volume; it is not overwritten.").format(name=volume.GetName()))
    return volume


def _direction(card: Card, direction: str) -> str:
    """The direction by its own name, or by that of the domain it ends in."""
    if card.goes(direction):
        return direction
    ends = {way: way for way in card.directions}
    if not card.many:  # whose routes to one domain are several
        ends |= {card.ends_in(way).name: way for way in card.directions}
    if direction not in ends:
        raise ValueError(
            _("The style {style} has no direction {name}; there is: {known}.").format(
                style=card.name, name=direction, known=", ".join(ends)
            )
        )
    return ends[direction]


def _node_of(result: Result | FusionResult) -> object:
    return slicer.mrmlScene.GetNodeByID(result.output_id)


def _metrics(verdict: Verdict) -> dict:
    return dict(verdict.metrics)

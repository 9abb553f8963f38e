"""Small questions to the worker, which make no job: what a volume is, whether it fits, what there is to compute on."""

from __future__ import annotations

from collections.abc import Callable

from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.setup import dependencies
from SurgicalStyleTransferLib.setup.looks import LookCard
from SurgicalStyleTransferLib.setup.model_cards import Card
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .look_job import like


class Questions:
    """Asked through the client; where the engine's packages are not installed yet, nothing is asked.

    Attributes:
        client: of the worker.
        exchange: through which volumes go.
    """

    client: WorkerClient
    exchange: Exchange

    def check(self, node: object, card: Card, direction: str, on_done: Callable[[str, list[str]], None]) -> None:
        """Ask the worker whether a volume looks like what a model expects.

        Silent where the engine's packages are not installed yet, and where the worker cannot tell.

        Args:
            node: the volume.
            card: the style.
            direction: "forward" or "backward".
            on_done: called with why it cannot be used ("" if it can) and warnings.
        """
        if dependencies.missing(torch=False):
            return
        try:
            volume = self.exchange.upload(node, outputs.modality_of(node))
        except (ValueError, OSError):
            return
        self.client.request(
            "check",
            lambda answer: on_done(answer["problem"], answer["warnings"]),
            lambda code, message: on_done(message, []) if code == "bad_input" else None,
            volume=volume,
            model=str(card.folder),
            direction=direction,
        )

    def check_look(self, node: object, card: LookCard, on_done: Callable[[str, list[str]], None]) -> None:
        """Ask the worker whether a volume can be brought into a look; silent as ``check`` is."""
        if dependencies.missing(torch=False):
            return
        try:
            volume, whose = self.exchange.upload(node, outputs.modality_of(node)), like(self.exchange, card)
        except (ValueError, OSError):
            return
        self.client.request(
            "check_look",
            lambda answer: on_done(answer["problem"], []),
            lambda code, message: on_done(message, []) if code == "bad_input" else None,
            volume=volume,
            like=whose,
        )

    def recognise(self, node: object, card: Card, on_done: Callable[[str, str], None]) -> None:
        """Ask the worker which domain of a style for many a volume belongs to.

        Args:
            node: the volume.
            card: the style.
            on_done: called with the domain ("" where nobody knows), and a sentence on what the volume is.
        """
        if dependencies.missing(torch=False):
            on_done("", "")
            return
        try:
            volume = self.exchange.upload(node, outputs.modality_of(node))
        except (ValueError, OSError) as error:
            on_done("", str(error))
            return
        self.client.request(
            "recognise",
            lambda answer: on_done(answer["domain"], answer["sentence"]),
            lambda code, message: on_done("", message),
            volume=volume,
            model=str(card.folder),
        )

    def devices(self, on_done: Callable[[list[dict]], None]) -> None:
        """The devices that styles can run on, by the worker. Silent where its packages are not installed."""
        if not dependencies.missing(openvino=True):
            self.client.request("devices", lambda answer: on_done(answer["devices"]), lambda code, message: None)

"""What the panel does, usable from scripts without it: runs, adjusting, figures, checks, imports."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import outputs, sequences
from SurgicalStyleTransferLib.setup import dependencies, model_cards
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .adjustments import Adjustments
from .metrics_job import FiguresRun
from .style_job import Plan, Progress, Result, StyleRun

FOLDER_SETTING = "SurgicalStyleTransfer/ModelsFolder"
QUICK_SLICES = 24


class Engine:
    """The worker, the exchanged files, and the results that can still be adjusted or judged."""

    def __init__(self, command: list[str] | None = None) -> None:
        self.exchange = Exchange()
        self.client = WorkerClient(lambda: self.exchange.folder, command)
        self.client.on_state_changed = self._on_worker_changed
        self.on_worker_changed: Callable[[], None] = lambda: None
        self.results: dict[str, Result] = {}
        self.run: StyleRun | None = None
        self._closed = False

    def _on_worker_changed(self) -> None:
        if not self.client.running and not self._closed:
            # What it kept is gone with it, and it deletes its folder.
            self.results.clear()
            self.exchange.renew()
        self.on_worker_changed()

    def close(self) -> None:
        """End the worker and delete the exchanged files."""
        self._closed = True
        self.run = None
        self.client.stop()
        self.exchange.close()

    # Models

    def models_folder(self) -> Path:
        """The user's folder of models, as set in the panel."""
        return Path(str(qt.QSettings().value(FOLDER_SETTING) or model_cards.default_user_folder()))

    def set_models_folder(self, folder: str) -> None:
        qt.QSettings().setValue(FOLDER_SETTING, folder)

    def cards(self) -> list[model_cards.Card]:
        return model_cards.list_cards(self.models_folder())

    def import_model(
        self, source: str, on_done: Callable[[str], None], on_error: Callable[[str, str], None], **arguments: object
    ) -> None:
        """Bring a packed model or weights into the user's folder; ``on_done`` gets its name."""
        self.client.request(
            "import",
            lambda answer: on_done(answer["name"]),
            on_error,
            source=source,
            folder=str(self.models_folder()),
            **arguments,
        )

    def remove_model(self, card: model_cards.Card) -> None:
        """Delete a model of the user's; of a link, the link. Raises ValueError for shipped ones and for folders whose
        card cannot be read, which may be anything, and OSError if the disk refuses."""
        import shutil

        if card.shipped:
            raise ValueError(_("The style {name} came with the extension and stays.").format(name=card.title))
        if card.is_damaged:
            raise ValueError(
                _("the card of {folder} cannot be read; delete the folder by hand").format(folder=card.folder)
            )
        if card.folder.is_symlink():
            card.folder.unlink()
        else:
            shutil.rmtree(card.folder)

    # Runs

    def apply(
        self,
        plan: Plan,
        on_done: Callable[[Result], None],
        on_error: Callable[[str, str], None],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Start a run; there is one at a time. Raises RuntimeError if one is under way."""
        if self.run is not None:
            raise RuntimeError(_("A style is being applied already."))

        def done(result: Result) -> None:
            self.run = None
            self.results[result.output_id] = result
            on_done(result)

        def failed(code: str, message: str) -> None:
            self.run = None
            on_error(code, message)

        self.run = StyleRun(self.client, self.exchange, plan, done, failed, on_progress)
        self.run.start()

    def process(self, plan: Plan, timeout: float = 3600) -> Result:
        """The same for scripts: waits (Slicer stays alive meanwhile). Raises RuntimeError with the sentence."""
        if dependencies.ensure(**dependencies.needs_of(plan.card)):
            self.client.stop()
        outcome: list = []
        self.apply(plan, outcome.append, lambda code, message: outcome.append(RuntimeError(message)))
        until = time.monotonic() + timeout
        while not outcome and time.monotonic() < until:
            slicer.app.processEvents()
            time.sleep(0.01)
        if not outcome:
            self.client.stop()
            raise RuntimeError(_("The style took too long."))
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def check(
        self, node: object, card: model_cards.Card, direction: str, on_done: Callable[[str, list[str]], None]
    ) -> None:
        """Ask the worker whether a volume looks like what a model expects: ``on_done(problem, warnings)``.

        Silent where the engine's packages are not installed yet, and where the worker cannot tell.
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

    def adjust(
        self,
        output_id: str,
        strength: float,
        on_done: Callable[[], None],
        on_error: Callable[[str, str], None],
        adjustments: Adjustments | None = None,
    ) -> None:
        """Blend a result anew with another strength, all frames of it, without running the network.

        adjustments: None leaves them as they are; of others, what acts before the network stays as it was.
        """
        result = self.results[output_id]
        answers: list[tuple[Path, dict]] = []

        def failed(code: str, message: str) -> None:
            for path, _answer in answers:
                self.exchange.discard(path)
            on_error(code, message)

        wanted = adjustments or result.adjustments

        def request() -> None:
            try:
                message = wanted.message(self.exchange, with_network=False)
            except (ValueError, OSError) as error:
                failed("bad_input", str(error))
                return
            path = self.exchange.new_path("adjusted")
            self.client.request(
                "adjust",
                lambda answer: adjusted(path, answer),
                failed,
                keep=result.keys[len(answers)],
                output=str(path),
                strength=strength,
                adjustments=message,
            )

        def adjusted(path: Path, answer: dict) -> None:
            answers.append((path, answer))
            if len(answers) < len(result.keys):
                request()
                return
            node = slicer.mrmlScene.GetNodeByID(output_id)
            if node is None or self.results.get(output_id) is not result:
                # Gone meanwhile; after another scene was loaded, its number may be another volume's.
                failed("stopped", "")
                return
            arrays = [self.exchange.take(done) for done, _answer in answers]
            source = slicer.mrmlScene.GetNodeByID(result.plan.input_id)
            name = source.GetName() if source is not None else ""

            def write(volume: object, index: int) -> None:
                slicer.util.updateVolumeFromArray(volume, arrays[index])
                outputs.mark(volume, name, answers[index][1]["notes"])

            if len(arrays) > 1:
                sequences.replace_frames(node, write)
                outputs.mark(node, name, answer["notes"])
            else:
                write(node, 0)
            result.strength, result.adjustments = strength, wanted
            result.used_strength, result.consistency = answers[0][1]["strength"], answers[0][1]["consistency"]
            on_done()

        request()

    def figures(
        self,
        output_id: str,
        reference: object | None,
        max_slices: int | None,
        on_done: Callable[[dict, object], None],
        on_error: Callable[[str, str], None],
        on_progress: Callable[[int, int], None] | None = None,
    ) -> FiguresRun | None:
        """The quality figures of a result, of a sequence their mean over the frames: ``on_done(figures, map or None)``.

        Returns what is under way, for its ``cancel()``, or None if it failed at once.
        """
        result = self.results[output_id]
        source = slicer.mrmlScene.GetNodeByID(result.plan.input_id)
        target = None
        if reference is not None:
            try:
                target = self.exchange.upload(reference, relative_to=source)
            except (ValueError, OSError) as error:
                on_error("bad_input", str(error))
                return None
        run = FiguresRun(
            self.client,
            self.exchange,
            result.keys,
            target,
            max_slices,
            on_done,
            on_error,
            on_progress or (lambda done, total: None),
        )
        run.start()
        return run

    def devices(self, on_done: Callable[[list[dict]], None]) -> None:
        """The devices that styles can run on, by the worker. Silent where its packages are not installed."""
        if not dependencies.missing(openvino=True):
            self.client.request("devices", lambda answer: on_done(answer["devices"]), lambda code, message: None)

    def forget(self, output_id: str) -> None:
        """A result is gone from the scene: free its memory in the worker."""
        result = self.results.pop(output_id, None)
        if result is not None and self.client.running:
            for key in result.keys:
                self.client.request("forget", lambda answer: None, lambda code, message: None, keep=key)

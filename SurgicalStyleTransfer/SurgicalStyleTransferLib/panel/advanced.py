"""The section Advanced: where and how styles run, the folder of styles, the worker and its log."""

from __future__ import annotations

from slicer.i18n import tr as _

from .context import Context, Section
from .tools import fill, select, single_shot_timer

LOG_MS = 500  # between two looks at the log


class AdvancedSection(Section):
    """Settings of the engine.

    Attributes:
        devices: as the worker lists them, once it was asked.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.devices: list[dict] = []
        ui = self.ui
        names = ("fp32", "bf16", "fp16", "int8")
        fill(ui.precisionComboBox, [(_("Automatic"), "auto"), *((name, name) for name in names)])
        fill(
            ui.planeComboBox,
            [
                (_("As the style was trained"), ""),
                (_("Axial"), "axial"),
                (_("Coronal"), "coronal"),
                (_("Sagittal"), "sagittal"),
                (_("All three, averaged"), "all"),
            ],
        )
        self._log_timer = single_shot_timer(self._show_log)
        self._fill_devices()
        ui.folderButton.directory = str(self.engine.models.folder)
        ui.logTextEdit.visible = False
        context.bind(ui.deviceComboBox, "device")
        context.bind(ui.precisionComboBox, "precision")
        context.bind(ui.planeComboBox, "plane")
        ui.folderButton.connect("directoryChanged(QString)", self.on_folder)
        ui.logButton.connect("clicked(bool)", self.on_log)
        ui.stopWorkerButton.connect("clicked(bool)", self.on_stop_worker)
        ui.advancedCollapsibleButton.connect("contentsCollapsed(bool)", self.on_advanced)
        context.worker_changed.connect(self._show_worker)

    def on_advanced(self, collapsed: bool) -> None:
        """The section is opened or closed; its devices are asked for while the worker has nothing else to do."""
        if not collapsed and self.engine.style_job is None and self.engine.metrics_job is None:
            self.engine.devices(self._on_devices)

    def on_folder(self, folder: str) -> None:
        """Another folder of styles."""
        self.engine.models.folder = str(folder)
        self.context.refresh_styles()

    def on_log(self, _checked: bool = False) -> None:
        """Show or hide what the worker has said."""
        ui = self.ui
        ui.logTextEdit.visible = not ui.logTextEdit.visible
        ui.logButton.text = _("Hide log") if ui.logTextEdit.visible else _("Show log")
        self._show_log()

    def _show_log(self) -> None:
        """The log as it is now; it follows the worker as long as it is shown."""
        ui = self.ui
        if ui.logTextEdit.isHidden():
            return
        text = "\n".join(self.engine.client.log) or _("The worker has said nothing yet.")
        if text != ui.logTextEdit.plainText:
            ui.logTextEdit.plainText = text
            bar = ui.logTextEdit.verticalScrollBar()
            bar.value = bar.maximum
        self._log_timer.start(LOG_MS)

    def exit(self) -> None:
        """Follow the log no more; another module is in front."""
        self._log_timer.stop()

    def enter(self) -> None:
        """Follow the log again."""
        self._show_log()

    def close(self) -> None:
        """Follow the log no more."""
        self._log_timer.stop()

    def on_stop_worker(self, _checked: bool = False) -> None:
        """End the worker and its memory."""
        self.engine.client.stop()

    def _show_worker(self) -> None:
        running = self.engine.client.running
        self.ui.workerStateLabel.text = _("ready") if running else _("not running")
        self.ui.stopWorkerButton.enabled = running

    def _on_devices(self, devices: list[dict]) -> None:
        self.devices = devices
        self._fill_devices()

    def _fill_devices(self) -> None:
        entries = [(_("Automatic"), "auto")]
        for device in self.devices or [{"name": "cpu", "title": _("Processor"), "free_bytes": None}]:
            text = device["title"]
            if device["free_bytes"]:
                text = _("{title} ({free:.1f} GB free)").format(title=text, free=device["free_bytes"] / 1e9)
            entries.append((text, device["name"]))
        chosen = self.parameters.device if self.parameters is not None else "auto"
        if chosen not in [name for text, name in entries]:
            entries.append((_("{name} (not found)").format(name=chosen), chosen))
        fill(self.ui.deviceComboBox, entries)
        select(self.ui.deviceComboBox, chosen)

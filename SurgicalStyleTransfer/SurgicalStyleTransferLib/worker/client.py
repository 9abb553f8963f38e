"""The worker process, seen from Slicer: started when first needed, kept warm, spoken to in messages."""

from __future__ import annotations

import logging
import shutil
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from surgical_style_engine.worker import messages as protocol

LOG_LINES = 2000
GRACE_MS = 1500  # for an answer to a cancel; then the process is ended
STOP_MS = 1000
# Tasks that are not ended for another one's sake.
AWAITED = ("translate", "adjust", "fuse", "import", "features", "export_dicom")


@dataclass
class _Pending:
    on_result: Callable[[dict], None]
    on_error: Callable[[str, str], None]
    on_progress: Callable[[str, int, int], None] | None
    task: str


class WorkerClient:
    """Requests to the worker and what is to happen on their answers.

    Every request gets exactly one answer: a result, or an error (code, sentence), also when the process dies or is
    stopped. ``on_state_changed`` is called when the process starts or ends, ``on_line`` with every line of its log.
    """

    def __init__(self, scratch: Callable[[], Path], command: list[str] | None = None) -> None:
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.on_state_changed: Callable[[], None] = lambda: None
        self.on_line: Callable[[str], None] = lambda line: None
        self._scratch, self._command = scratch, command
        self._process: qt.QProcess | None = None
        self._pending: dict[int, _Pending] = {}
        self._cancelling: set[int] = set()
        self._count = 0
        self._unread = b""
        self._grace = qt.QTimer()
        self._grace.singleShot = True
        self._grace.connect("timeout()", self._on_grace_over)

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def busy(self) -> bool:
        """Whether answers are awaited."""
        return bool(self._pending)

    def request(
        self,
        task: str,
        on_result: Callable[[dict], None],
        on_error: Callable[[str, str], None],
        on_progress: Callable[[str, int, int], None] | None = None,
        **arguments: object,
    ) -> int:
        """Send a request, starting the worker if need be.

        Args:
            task: of the worker's tasks.
            on_result: called with the answer.
            on_error: called with a code and one sentence.
            on_progress: called with stage, steps done and steps of all.
            **arguments: of the task.

        Returns:
            The request's number, for ``cancel``.
        """
        self._count += 1
        number = self._count
        self._pending[number] = _Pending(on_result, on_error, on_progress, task)
        if self._process is None:
            self._start()
        if self._process is not None:  # starting may fail at once, which answers the request
            self._write({"id": number, "task": task, **arguments})
        return number

    def cancel(self, number: int, at_leisure: bool = False) -> None:
        """Ask for a stop.

        If no answer comes soon, the worker is ended, unless somebody waits for something else that it would take along;
        either way the request is answered.

        Args:
            number: of the request.
            at_leisure: whether the answer may take as long as it takes, so that the worker is not ended for its sake.
        """
        if number in self._pending and self._process is not None:
            self._cancelling.add(number)
            self._write({"cancel": number})
            if not at_leisure:
                self._grace.start(GRACE_MS)

    def stop(self, reason: str = "") -> None:
        """End the worker and its memory. Pending requests end with an error."""
        process, self._process = self._process, None
        self._grace.stop()
        if process is not None:
            self._disconnect(process)
            # Closing stdin is what ends the worker itself; kill would only reach a launcher.
            process.closeWriteChannel()
            if not process.waitForFinished(STOP_MS):
                process.kill()
                process.waitForFinished(STOP_MS)
            process.deleteLater()
        self.on_state_changed()
        self._fail_pending("stopped", reason or _("The worker was stopped."))

    def _start(self) -> None:
        command = self._command or [python_slicer(), "-m", "surgical_style_engine.worker"]
        # A child of the application: PythonQt would delete it with the last name for it, within its own signal.
        process = qt.QProcess(slicer.app)
        # With "-m" Python looks for the engine in the working directory first.
        process.setWorkingDirectory(str(Path(__file__).resolve().parents[2]))
        process.connect("readyReadStandardOutput()", self._on_output)
        process.connect("readyReadStandardError()", self._on_log)
        process.connect("finished(int,QProcess::ExitStatus)", self._on_finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._on_process_error)
        self._process, self._unread = process, b""
        process.start(command[0], [*command[1:], "--scratch", str(self._scratch())])
        self.on_state_changed()

    def _disconnect(self, process: qt.QProcess) -> None:
        process.disconnect("readyReadStandardOutput()", self._on_output)
        process.disconnect("readyReadStandardError()", self._on_log)
        process.disconnect("finished(int,QProcess::ExitStatus)", self._on_finished)
        process.disconnect("errorOccurred(QProcess::ProcessError)", self._on_process_error)

    def _write(self, message: dict) -> None:
        self._process.write(protocol.encode(message))

    def _on_output(self) -> None:
        self._unread += raw_bytes(self._process.readAllStandardOutput())
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            message = protocol.decode(line)
            if message is None:
                self.log.append(line.decode("ascii", "replace"))
            else:
                self._on_message(message)

    def _on_message(self, message: dict) -> None:
        event, number = message.get("event"), message.get("id")
        if event == "ready":
            self.log.append(
                _("Worker {version} started, process {pid}.").format(version=message["version"], pid=message["pid"])
            )
        elif event == "progress" and number in self._pending:
            on_progress = self._pending[number].on_progress
            if on_progress is not None and number not in self._cancelling:
                on_progress(message["stage"], message["done"], message["total"])
        elif event in ("result", "error") and number in self._pending:
            pending = self._pending.pop(number)
            cancelled = number in self._cancelling
            self._cancelling.discard(number)
            if not self._cancelling:
                self._grace.stop()
            if event == "error":
                pending.on_error(message["code"], message["message"])
            elif cancelled:  # finished just before the cancel arrived; whoever cancelled wants nothing of it
                pending.on_error("cancelled", _("Cancelled."))
            else:
                pending.on_result(message)

    def _on_log(self) -> None:
        text = raw_bytes(self._process.readAllStandardError()).decode("utf-8", "replace")
        lines = [line for line in text.splitlines() if line.strip()]
        self.log.extend(lines)
        for line in lines:
            self.on_line(line)

    def _on_grace_over(self) -> None:
        """No answer to a cancel: end the process, which cannot fail to stop."""
        if any(pending.task in AWAITED and number not in self._cancelling for number, pending in self._pending.items()):
            self._grace.start(GRACE_MS)
        elif self._cancelling:
            cancelled = [self._pending.pop(number) for number in self._cancelling if number in self._pending]
            self.stop()
            for pending in cancelled:
                pending.on_error("cancelled", _("Cancelled."))

    def _on_finished(self, code: int, _status: object = None) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._grace.stop()
        text = raw_bytes(process.readAllStandardError()).decode("utf-8", "replace")
        self.log.extend(line for line in text.splitlines() if line.strip())
        self._disconnect(process)
        process.deleteLater()
        logging.warning("SurgicalStyleTransfer: the worker ended with code %s.", code)
        self.on_state_changed()
        self._fail_pending("died", self._why_it_ended(code))

    def _why_it_ended(self, code: int) -> str:
        last = next((line for line in reversed(self.log) if "Error" in line), "")
        if "No module named" in last:
            return _("The worker could not start: {reason}.").format(reason=last.rstrip("."))
        return _(
            "The worker ended unexpectedly (code {code}; memory may have run out). Nothing was changed; Apply starts "
            "it again."
        ).format(code=code)

    def _on_process_error(self, error: object) -> None:
        if error == qt.QProcess.FailedToStart and self._process is not None:
            process, self._process = self._process, None
            reason = str(process.errorString())
            self._disconnect(process)
            process.deleteLater()
            self.on_state_changed()
            self._fail_pending("died", _("The worker could not start: {reason}.").format(reason=reason.rstrip(".")))

    def _fail_pending(self, code: str, message: str) -> None:
        pending, self._pending = self._pending, {}
        self._cancelling.clear()
        for request in pending.values():
            request.on_error(code, message)


def python_slicer() -> str:
    """Slicer's Python interpreter, which Slicer puts on the PATH; outside of Slicer this very one."""
    return shutil.which("PythonSlicer") or sys.executable


def raw_bytes(data: object) -> bytes:
    """The content of a QByteArray; bindings differ in what its ``data`` gives."""
    content = data.data()
    return content if isinstance(content, bytes) else str(content).encode("utf-8")

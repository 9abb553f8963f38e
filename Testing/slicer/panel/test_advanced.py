"""The section Advanced: devices, the worker and its log."""

from pathlib import Path

from surgical_style_engine import __version__

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer"


def test_advanced_lists_devices_and_the_log(open_panel, until):

    widget = open_panel()
    widget.ui.advancedCollapsibleButton.collapsed = False
    until(lambda: bool(widget.panel.advanced.devices), "the devices")
    combo = widget.ui.deviceComboBox
    texts = {combo.itemData(index): combo.itemText(index) for index in range(combo.count)}
    assert list(texts)[0] == "auto" and "cpu" in texts
    assert "GB free" in texts["cpu"] or not Path("/proc/meminfo").exists()
    assert widget.ui.workerStateLabel.text == "ready"
    widget.ui.logButton.click()
    assert f"Worker {__version__} started" in widget.ui.logTextEdit.plainText and not widget.ui.logTextEdit.isHidden()
    widget.logic.engine.client.log.append("A line that came later.")
    until(lambda: "A line that came later." in widget.ui.logTextEdit.plainText, "the log that is followed")
    widget.ui.stopWorkerButton.click()
    assert widget.ui.workerStateLabel.text == "not running" and not widget.ui.stopWorkerButton.enabled

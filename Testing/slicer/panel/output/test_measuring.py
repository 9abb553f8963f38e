"""What is fastest here is found out after the first result, not before it, and said."""

import json
from importlib.util import find_spec

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A worker that measures, and remembers in a home of its own."""
    monkeypatch.setenv("SST_PROBE", "on")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path / ".surgical_style_transfer" / "measured.json"


@pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
def test_the_first_result_comes_before_the_measuring(home, ready, apply, until):
    widget = ready()
    said = []
    show = widget.panel.context.status.show
    widget.panel.context.status.show = lambda text, error=False: (said.append(text), show(text, error))
    apply(widget)
    result = next(iter(widget.logic.engine.results.values()))
    assert result.is_unmeasured and result.precision == "fp32" and not home.exists()
    assert not any("Measuring" in text for text in said)
    until(home.is_file, "the measuring")
    until(lambda: widget.logic.engine.is_idle, "its end")
    assert any("Measuring, once, what is fastest on this computer: 1 of" in text for text in said)
    assert "Measuring" not in widget.ui.statusLabel.text and widget.ui.progressBar.isHidden()
    assert "slices in" in widget.ui.statusLabel.text
    ((_key, ways),) = json.loads(home.read_text()).items()
    assert len(ways) > 1
    apply(widget)
    now = widget.logic.engine.results[widget._parameterNode.resultVolume.GetID()]
    assert not now.is_unmeasured, "measured once"


def test_a_new_run_comes_first(home, ready, apply, until):
    widget = ready()
    apply(widget)
    widget.panel.measuring._start()
    assert widget.logic.engine.client.busy
    client = widget.logic.engine.client
    pid = client._process.processId()
    second = apply(widget)
    assert second is not None and client._process.processId() == pid, "the worker and what it keeps stay"
    assert len(widget.logic.engine.results) == 2

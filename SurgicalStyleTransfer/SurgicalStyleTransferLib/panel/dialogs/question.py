"""A question with a few answers; it is rare, and deleted when it was answered."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _


def choose(text: str, more: str, answers: dict[str, str]) -> str:
    """Ask, and wait for the answer.

    Args:
        text: the question in one sentence.
        more: what else is to be known.
        answers: what each button says, by the answer it stands for; the first is proposed. Cancel is added.

    Returns:
        The answer, or "" where the user changed their mind.
    """
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.setWindowTitle(_("Surgical Style Transfer"))
    box.textFormat = qt.Qt.PlainText  # volumes may be called as they like
    box.text, box.informativeText = text, more
    buttons = {answer: box.addButton(title, qt.QMessageBox.AcceptRole) for answer, title in answers.items()}
    box.addButton(qt.QMessageBox.Cancel)
    box.setDefaultButton(next(iter(buttons.values())))
    try:
        box.exec_()
        clicked = box.clickedButton()
        # By the button, never by its text: Qt puts an ampersand into it, and translators another language.
        return next((answer for answer, button in buttons.items() if clicked == button), "")
    finally:
        box.deleteLater()

"""The question whether to fetch the network that describes a style picture best, and fetching it through the worker."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from surgical_style_engine.stylize.published import PRETRAINED, SUGGESTED, PublishedVgg, best_at_hand, is_at_hand


def missing(features: str) -> PublishedVgg | None:
    """What can be fetched for a style picture; None where nothing is needed.

    Args:
        features: as in its card: a network's name, "auto" or "random"; "" for a style that is no picture.
    """
    if features == "auto":
        return None if best_at_hand() else SUGGESTED
    network = PRETRAINED.get(features)
    return None if network is None or is_at_hand(features) else network


class FeatureQuestion:
    """Asks once a session for each network; without it, "auto" means random filters."""

    def __init__(self, context: object) -> None:
        """Take the context, of which engine, status and ``installing`` are used."""
        self._context = context
        self._answered: set[str] = set()

    def settle(self, features: str, then: Callable[[], None]) -> None:
        """Ask, and fetch in the worker after a yes; nothing else may be started meanwhile.

        Args:
            features: see ``missing``.
            then: called at once where nothing is to be fetched, and after a no; else when the weights are there.
        """
        network = missing(features)
        if network is None or network.name in self._answered:
            then()
            return
        self._answered.add(network.name)
        if not slicer.util.confirmOkCancelDisplay(self._question(network, features)):
            then()
            return
        context = self._context

        def ended(text: str, error: bool = False) -> None:
            context.installing = False
            context.status.show(text, error=error)
            context.update_buttons()

        def done(answer: dict) -> None:
            ended(answer["sentence"])
            then()

        def failed(_code: str, message: str) -> None:
            ended(_("{reason} Press Apply again to do without.").format(reason=message), error=True)

        context.installing = True
        context.status.show(_("Fetching {title}; this can take some minutes...").format(title=network.title))
        context.update_buttons()
        context.engine.client.request("features", done, failed, name=network.name)

    def _question(self, network: PublishedVgg, features: str) -> str:
        question = _(
            "Pictures are described best by a network that was trained on photographs. {title} would be fetched once: "
            "{size} MB from {where}, licence {licence}; nothing of it is run but its weights."
        ).format(title=network.title, size=network.megabytes, where=network.where, licence=network.licence)
        otherwise = (
            _("Without it random filters are used: faster, colours and texture only.")
            if features == "auto"
            else _("This style cannot be applied without it.")
        )
        return f"{question} {otherwise} " + _("Fetch it now?")

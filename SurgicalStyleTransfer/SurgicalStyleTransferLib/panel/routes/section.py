"""The rows under the style where it is one for many domains: to which, and from which volumes."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.setup import dependencies
from SurgicalStyleTransferLib.setup.model_cards import Card

from ..context import Context, Section
from ..tools import fill, select, single_shot_timer
from . import inputs_list

MOST_ROWS = 4  # of the table, which scrolls then
DELAY_MS = 150  # after the last change of several, as when a scene is loaded


class RouteSection(Section):
    """Puts the direction together of what the inputs are and of what is to be made.

    What an input is, is recognised by the worker, and can be said by the user, who is right.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._answers: dict[tuple, tuple[str, str]] = {}  # domain or "", and a sentence, by what was asked
        self._asked: set[tuple] = set()
        self._rows: list[str] = []
        self._boxes: list[object] = []
        self._timer = single_shot_timer(self._ask)
        context.other_inputs = self.other_ids
        ui = self.ui
        ui.routeTable.setHorizontalHeaderLabels([_("Input"), _("Is")])
        header = ui.routeTable.horizontalHeader()
        for column in (0, 1):
            header.setSectionResizeMode(column, qt.QHeaderView.Stretch)
        ui.routeTable.verticalHeader().visible = False
        ui.routeAddButton.connect("clicked(bool)", self.on_add)
        ui.routeRemoveButton.connect("clicked(bool)", self.on_remove)

    # Hooks

    def update(self) -> None:
        """Show the inputs and what can be made of them; the direction follows."""
        ui, card = self.ui, self._card()
        ui.routeFrame.visible = card is not None
        self.context.route_problem = ""
        if card is None:
            return
        if not card.goes(self.parameters.direction):
            self.parameters.direction = card.directions[0]
        entries = inputs_list.entries(self.parameters)
        given = [self._domain(card, node, kind) for node, kind in entries]
        self.context.route_problem = self._why_not(card, entries, given)
        is_known = not self.context.route_problem and all(given)
        if not is_known:
            given = card.given(self.parameters.direction)
        target = card.ends_in(self.parameters.direction).name
        ways = {name: f"{'+'.join(given)}>{name}" for name in card.made_of(given)}
        if is_known:
            self.parameters.direction = ways.get(target, next(iter(ways.values())))
        fill(ui.directionComboBox, [(name, way) for name, way in ways.items()])
        ui.directionComboBox.enabled = len(ways) > 1
        ui.routeRemoveButton.enabled = len(entries) > 1
        self._show(card, entries)

    def follow(self) -> None:
        """Have recognised what is not known yet, a little later."""
        if self._unknown():
            self._timer.start(DELAY_MS)

    def node_removed(self, node: object) -> None:
        """Take a volume out, with what it was said to be."""
        entries = inputs_list.entries(self.parameters)
        left = entries[:1] + [entry for entry in entries[1:] if entry[0].GetID() != node.GetID()]
        if len(left) != len(entries):
            inputs_list.store(self.parameters, left)

    def scene_closing(self) -> None:
        """An empty list, and nothing known."""
        self._timer.stop()
        self._answers, self._asked = {}, set()
        self.ui.routeTable.rowCount = 0
        self._rows, self._boxes = [], []

    def close(self) -> None:
        """Ask nothing more."""
        self._timer.stop()

    # What is chosen

    def _card(self) -> Card | None:
        """The style, where it is one for many domains."""
        card = self.context.card()
        return card if card is not None and not card.problem and card.many else None

    def other_ids(self) -> tuple[str, ...]:
        """IDs of the inputs beside the input volume, in the order of the direction."""
        if self.parameters is None or self._card() is None:
            return ()
        return tuple(node.GetID() for node, _kind in inputs_list.entries(self.parameters)[1:])

    def _domain(self, card: Card, node: object | None, said: str) -> str:
        """What an input is: as it is said, or recognised; "" where nobody knows (yet)."""
        if said in [side.name for side in card.many]:
            return said
        return self._answers.get(_question(card, node), ("", ""))[0]

    def _why_not(self, card: Card, entries: list[tuple[object, str]], given: list[str]) -> str:
        """Why the inputs do not go together; "" where they do, or where there is no input volume yet."""
        known: dict[str, str] = {}
        for (node, _said), domain in zip(entries, given, strict=True):
            if node is None or node.GetImageData() is None:
                return "" if node is entries[0][0] else _("{name} is empty.").format(name=node.GetName())
            name = node.GetName()
            if not domain and self._is_open(card, node):
                return _("It is being found out what {name} is.").format(name=name)
            if not domain:
                names = ", ".join(side.name for side in card.many)
                return _("Say in the list of inputs what {name} is: {names}.").format(name=name, names=names)
            if domain in known:
                return _("{first} and {second} are both {domain}; say in the list of inputs what they are.").format(
                    first=known[domain], second=name, domain=domain
                )
            known[domain] = name
        if len(known) == len(card.many):
            return _("All contrasts of this style are given; there is none left to be made.")
        if not card.made_of(given):
            return _("This style makes none of the other contrasts of {inputs}.").format(inputs=" + ".join(given))
        return ""

    # What an input is

    def _unknown(self) -> list[tuple]:
        """(question, volume) of what is neither said nor asked yet."""
        card = self._card()
        if card is None or self.parameters is None or dependencies.missing(torch=False):
            return []
        questions = [
            (_question(card, node), node)
            for node, said in inputs_list.entries(self.parameters)
            if node is not None and node.GetImageData() is not None and not self._domain(card, node, said)
        ]
        return [(key, node) for key, node in questions if key not in self._asked]

    def _is_open(self, card: Card, node: object) -> bool:
        """Whether an answer is still to come."""
        question = _question(card, node)
        return bool(question) and question not in self._answers and not dependencies.missing(torch=False)

    def _ask(self) -> None:
        for key, node in self._unknown():

            def answered(domain: str, sentence: str, key: tuple = key) -> None:
                self._answers[key] = domain, sentence
                self.context.update()

            self._asked.add(key)
            self.engine.recognise(node, self._card(), answered)

    # The list

    def _show(self, card: Card, entries: list[tuple[object, str]]) -> None:
        table, names = self.ui.routeTable, [side.name for side in card.many]
        rows = ["" if node is None else node.GetID() for node, _said in entries]
        if rows != self._rows:
            self._make_rows(rows)
        notes = []
        for row, (node, said) in enumerate(entries):
            table.item(row, 0).setText(_("no input volume") if node is None else node.GetName())
            domain, sentence = self._answers.get(_question(card, node), ("", ""))
            is_open = node is not None and self._is_open(card, node)
            text = _("{domain} (recognised)").format(domain=domain) if domain else "..." if is_open else _("not known")
            fill(self._boxes[row], [(text, ""), *((name, name) for name in names)])
            select(self._boxes[row], said if said in names else "")
            table.item(row, 0).setToolTip(sentence)
            if sentence and said not in names:
                notes.append(_("{name}: {sentence}").format(name=node.GetName(), sentence=sentence))
        self.ui.routeNoteLabel.text = "\n".join(notes)
        self.ui.routeNoteLabel.visible = bool(notes)

    def _make_rows(self, rows: list[str]) -> None:
        table = self.ui.routeTable
        self._rows, self._boxes = rows, []
        table.rowCount = 0
        table.rowCount = len(rows)
        for row in range(len(rows)):
            table.setItem(row, 0, qt.QTableWidgetItem(""))
            box = qt.QComboBox()
            box.toolTip = _("What this input is. Correct it where it is recognised wrongly.")
            box.connect("currentIndexChanged(int)", lambda index, row=row: self._on_kind(row))
            table.setCellWidget(row, 1, box)
            self._boxes.append(box)
        # The headings are no higher than a line.
        table.minimumHeight = table.maximumHeight = table.rowHeight(0) * (1 + min(len(rows), MOST_ROWS))

    def _on_kind(self, row: int) -> None:
        if self.context.is_updating or self.parameters is None:
            return
        entries = inputs_list.entries(self.parameters)
        if row < len(entries):
            entries[row] = entries[row][0], str(self._boxes[row].currentData or "")
            inputs_list.store(self.parameters, entries)
            self.context.update()

    def on_add(self, _checked: bool = False) -> None:
        """Put the selected volume into the list."""
        node, status = self.ui.routeSelector.currentNode(), self.context.status
        entries = inputs_list.entries(self.parameters)
        problem = ""
        if node is None:
            problem = _("Select the volume to add first.")
        elif node.GetID() in [other.GetID() for other, _said in entries if other is not None]:
            problem = _("{name} is in the list already.").format(name=node.GetName())
        elif len(entries) + 1 >= len(self._card().many):
            problem = _("This style takes at most {count} inputs.").format(count=len(self._card().many) - 1)
        status.show(problem, error=bool(problem))
        if not problem:
            inputs_list.store(self.parameters, [*entries, (node, "")])
            self.ui.routeSelector.setCurrentNode(None)
            self.context.update()

    def on_remove(self, _checked: bool = False) -> None:
        """Take the selected volume out of the list, or the last one; the input volume stays."""
        entries, row = inputs_list.entries(self.parameters), self.ui.routeTable.currentRow()
        if row == 0 and len(entries) > 1:
            self.context.status.show(_("The input volume is chosen under Inputs; select another line."))
        elif len(entries) > 1:
            entries.pop(row if 0 < row < len(entries) else -1)
            inputs_list.store(self.parameters, entries)
            self.context.update()


def _question(card: Card, node: object | None) -> tuple:
    """What an answer depends on."""
    if node is None or node.GetImageData() is None:
        return ()
    return node.GetID(), node.GetImageData().GetMTime(), node.GetName(), card.name, card.sha256

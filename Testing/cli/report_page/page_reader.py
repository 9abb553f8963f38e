"""A page taken apart, for the tests of `sst report`."""

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
from PIL import Image

VOID = {"meta", "link", "img", "input", "br", "path"}


class Page(HTMLParser):
    """A page taken apart: text people see, elements with their attributes, the viewers' data; tags must match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements, self.words, self.viewers, self._open = [], [], [], []
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append((tag, dict(attributes).get("class", "")))

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open and self._open[-1][0] == tag, (tag, self._open, self.getpos())
            self._open.pop()

    def handle_data(self, data):
        inside = self._open[-1] if self._open else ("", "")
        if inside == ("script", "data"):
            self.viewers.append(json.loads(data))
        elif inside[0] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def sheet(uri: str) -> np.ndarray:
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(float)


def tile(viewer: dict, pane: int, place: int) -> np.ndarray:
    """The pixels of one slice in a pane's sheet."""
    width, height = viewer["tile"]
    row, column = divmod(place, viewer["columns"])
    image = sheet(viewer["panes"][pane]["sheet"])
    return image[row * height : (row + 1) * height, column * width : (column + 1) * width]


def page_of(sst, report, *options, to=None) -> Page:
    to = to or report.with_suffix(".html")
    ended = sst("report", report, "--output", to, *options)
    assert ended.code == 0 and ended.err == "" and str(to) in ended.out, ended
    return Page(to.read_text(encoding="utf-8"))


def pixels(browser, canvas: int) -> list[int]:
    """Red values of a canvas of the page."""
    return browser.execute_script(
        "const c = document.querySelectorAll('canvas')[arguments[0]];"
        "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 == 0))",
        canvas,
    )

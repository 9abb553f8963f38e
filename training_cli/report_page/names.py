"""How the page calls files: by their names without folders, or, anonymously, by their role and a number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

# Keys of a report that hold the paths of volumes, and what these are called where their names must not show.
ROLES = {
    "inputs": "volume",
    "input": "volume",
    "others": "volume",
    "output": "output",
    "reference": "reference",
    "mask": "mask",
    "masks": "mask",
    "cycle_error": "map",
    "translation": "output",
    "comparison": "picture",
    "style": "style picture",
    "disagreement": "map",
    "match": "reference",
    "picture": "picture",
    "overlay": "picture",
    "transform": "transform",
    "transforms": "transform",
}
_ENDING = re.compile(r"\.(nii(\.gz)?|nrrd|nhdr|mha|mhd|png|jpe?g|tiff?|dcm|ima|tfm|txt|h5|json)$", re.IGNORECASE)
_ABSOLUTE = re.compile(r"^(/|[A-Za-z]:[\\/]|\\\\)")
_SENTENCES = ("warnings", "reason")  # keys of what may begin with a path but is no path
# In sentences: a path that the report names nowhere else, and a file of a kind that holds images.
_STRAY_PATH = re.compile(r"(?<![\w.<])(?:[A-Za-z]:)?(?:[\\/][^\s\\/:*?\"<>|,;()]+){2,}")
_STRAY_FILE = re.compile(r"[^\s\\/:*?\"<>|,;()]+\.(nii(\.gz)?|nrrd|nhdr|mha|mhd|dcm|ima)\b", re.IGNORECASE)


class Names:
    """The names of one report's files. ``text`` replaces them wherever they turn up in what the page shows."""

    def __init__(self, report: Mapping[str, Any], anonymous: bool = False) -> None:
        """Find the files of a report; ``anonymous``: they are called by their role and a number."""
        self.anonymous = anonymous
        self._labels: dict[str, str] = {}
        counts: dict[str, int] = {}
        for role, path in _paths(report):
            if path in self._labels:
                continue
            same = [label for known, label in self._labels.items() if last_part(known) == path]
            if same:  # a bare name, said once more of a file whose path came before
                self._labels[path] = same[0]
            elif anonymous:
                counts[role] = counts.get(role, 0) + 1
                self._labels[path] = f"{role} {counts[role]}"
            else:
                self._labels[path] = last_part(path)
        words = dict(self._labels)
        if anonymous:  # names without folders, and without endings, give as much away
            for path, label in self._labels.items():
                if label.startswith("folder "):  # the model's, called like the model
                    continue
                name = last_part(path)
                for part in (name, _ENDING.sub("", name)):
                    if re.search(r"[^\W\d_]", part):
                        words.setdefault(part, label)
        self._words = words
        ordered = sorted(words, key=len, reverse=True)
        # Not inside a longer word: a file called T1 says nothing about the word T1w.
        pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in ordered)
        self._pattern = re.compile(pattern) if ordered else None

    def of(self, path: str) -> str:
        """What a path of the report is called on the page."""
        return self._labels.get(path) or last_part(path)

    def text(self, text: str) -> str:
        """A sentence with all files of the report called by their names on the page."""
        if self._pattern:
            text = self._pattern.sub(lambda match: self._words[match[0]], text)
        text = _STRAY_PATH.sub(lambda match: "a file" if self.anonymous else last_part(match[0]), text)
        return _STRAY_FILE.sub("a file", text) if self.anonymous else text

    def everywhere(self, value: Any) -> Any:
        """The same for every string in lists and tables; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.everywhere(entry) for key, entry in value.items()}
        return [self.everywhere(entry) for entry in value] if isinstance(value, list) else value


def last_part(path: str) -> str:
    """The last part of a path of this or another system; the path itself if it has but one."""
    return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name or path


def _paths(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(role, path) of everything in a report that names a file; inputs come first, in their order."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _paths(entry, str(name))
    elif isinstance(value, list):
        for entry in value:
            yield from _paths(entry, key)
    elif isinstance(value, str) and value and (key in ROLES or key not in _SENTENCES and _ABSOLUTE.match(value)):
        yield ROLES.get(key, "folder" if key == "folder" else "file"), value

"""Text of files and cards loses what a surface would obey."""

import pytest

from surgical_style_engine.common.clean_text import clean, clean_all

ESCAPES = [
    "\x1b[31m",
    "\x1b]0;owned\x07",
    "\x9b31m",
    "\x90q\x9c",
    "\r",
    "\x08",
    "\x7f",
    "\u202e",
    "\u2066",
    "\udcff",
    "\0",
]


@pytest.mark.parametrize("surface", ["terminal", "html", "header", "card"])
@pytest.mark.parametrize("escape", ESCAPES)
def test_nothing_is_obeyed(surface, escape):
    cleaned = clean(f"before{escape}behind", surface)
    assert not set(cleaned) & set("\x1b\x07\x9b\x90\x9c\r\x08\x7f\u202e\u2066\udcff\0")
    assert cleaned.startswith("before") and cleaned.endswith("behind")
    cleaned.encode()


@pytest.mark.parametrize("text", ["Größe 3 µm, T1w → T2w", "頭部.nii", "کتاب\u200cخانه", "e\u0301", "a\tb"])
def test_letters_stay(text):
    assert clean(text, "terminal") == text


def test_a_header_has_one_line():
    assert clean("a\nSyntheticTo:=CT\r\nb", "header") == "a SyntheticTo:=CT b"
    assert clean("a\r\nb", "terminal") == "a\nb"


def test_tables():
    values = {"a\x1b": ["b\x07", {"c": 1.5, "d": None}], "e": True}
    assert clean_all(values, "card") == {"a\ufffd": ["b\ufffd", {"c": 1.5, "d": None}], "e": True}

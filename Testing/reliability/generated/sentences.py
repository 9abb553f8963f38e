"""What a refusal has to be: one sentence for people."""

from __future__ import annotations

import re

LONGEST = 6000  # characters; a path can be four thousand
# What a sentence for people never holds: names of Python's types and of errors, C++ and addresses.
RAW = re.compile(
    r"NoneType|<class|Traceback|Errno|subscriptable|\bdtype\(|\b(str|int|dict) |failed unexpectedly|broadcast"
    r"|validation|numpy|itk::|ITK ERROR|0x[0-9a-f]{6}|Input should|object has|argument of type"
)


def is_sentence(text: str) -> bool:
    """Whether it is one sentence, apart from what it repeats of what was given."""
    own = re.sub(r"'.*'|called .*;|at '.*|has schema version .*;", "", text)
    is_one = text.endswith(".") and not text.endswith("..") and "\n" not in text and len(text) <= LONGEST
    return is_one and not RAW.search(own)

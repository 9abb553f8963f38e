"""Files and cards that are almost good are read, or refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reliability.generated.bounds import within_bounds
from reliability.generated.drawing import drawn
from reliability.generated.files import spoilt_bytes
from reliability.generated.sentences import is_sentence
from reliability.generated.values import spoilt
from reliability.hostile.files import WHOLE
from reliability.hostile.registry import cases

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.card import read_card
from surgical_style_engine.volumes.volume import check_volume

FEW = drawn(60)
CARD = Path(__file__).resolve().parents[1] / "compatibility" / "next" / "model" / "model.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("generated")


@pytest.mark.parametrize("ending", WHOLE)
@FEW
@given(st.data())
def test_files(folder, ending, data):
    path = folder / f"v{ending}"
    path.write_bytes(data.draw(spoilt_bytes(WHOLE[ending])))
    with within_bounds():
        try:
            check_volume(read_volume(path))
        except StyleTransferError as error:
            assert is_sentence(str(error)), error


@pytest.mark.parametrize("name", sorted(name for name in cases() if name.endswith("-gb")))
def test_what_is_claimed_is_not_allocated(folder, name):
    (folder / "claims").mkdir(exist_ok=True)
    path = cases()[name].make(folder / "claims")
    with within_bounds(), pytest.raises(InputError, match="is damaged|holds no image"):
        read_volume(path)


@FEW
@given(spoilt([json.loads(CARD.read_text(encoding="utf-8"))]))
def test_cards(folder, card):
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    try:
        read_card(folder)
    except StyleTransferError as error:
        assert is_sentence(str(error)), error

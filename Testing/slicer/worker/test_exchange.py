"""The scratch folder: nothing is left in it, also where files in use cannot be deleted for a while."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def exchange(slicer_app, module):
    from SurgicalStyleTransferLib.worker.exchange import Exchange

    made = Exchange()
    yield made
    made.close()


@pytest.fixture
def mapped(monkeypatch):
    """Names of files that cannot be deleted, as on Windows while the worker has them mapped into memory."""
    held, unlink = set(), Path.unlink

    def refusing(path, missing_ok=False):
        if path.name in held:
            raise PermissionError(13, "The process cannot access the file", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refusing)
    return held


def files(exchange):
    return sorted(path.name for path in exchange.folder.iterdir())


def test_files_in_use_go_as_soon_as_they_can(exchange, mapped):
    first, second, third = (exchange.new_path("result") for _ in range(3))
    for path in (first, second, third):
        np.save(path, np.zeros((1, 2, 2, 2)))
    mapped.add(first.name)
    assert exchange.take(first).shape == (2, 2, 2)  # the result is there all the same
    exchange.discard(second)
    assert files(exchange) == [first.name, third.name]
    mapped.clear()
    exchange.discard(third)
    assert files(exchange) == []


def test_uploads_that_are_replaced_do_not_pile_up(exchange, mapped, volume, slicer_app):
    from SurgicalStyleTransferLib.worker.exchange import KEPT_UPLOADS

    node = volume()
    for number in range(3 * KEPT_UPLOADS):
        described = exchange.upload(node)
        mapped.clear()
        mapped.add(Path(described["file"]).name)
        slicer_app.util.arrayFromVolume(node)[0, 0, 0] = number
        slicer_app.util.arrayFromVolumeModified(node)
    assert len(files(exchange)) <= KEPT_UPLOADS + 1


def test_a_folder_for_temporary_files_that_is_gone_is_replaced_by_the_systems(
    slicer_app, module, monkeypatch, tmp_path
):
    from SurgicalStyleTransferLib.worker.exchange import Exchange

    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "gone", tmp_path / "file"):
        monkeypatch.setattr(slicer_app.app, "temporaryPath", str(place))
        made = Exchange()
        assert made.folder.is_dir() and place not in made.folder.parents
        made.close()
        assert not made.folder.exists()

"""Files and folders that are whole or absent."""

from __future__ import annotations

import multiprocessing
import os
import stat
import sys
import threading

import pytest

from surgical_style_engine.common import atomic_write
from surgical_style_engine.common.atomic_write import (
    beside,
    put_files,
    put_folder,
    remove_folder,
    replacing,
    replacing_folder,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class TestFiles:
    def test_the_file_appears_whole_when_the_block_ends(self, tmp_path):
        path = tmp_path / "new" / "a.txt"
        with replacing(path) as temporary:
            temporary.write_text("whole")
            assert not path.exists() and temporary.suffix == ".txt" and temporary.name.startswith(".")
        assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
    def test_a_failure_leaves_the_old_file_and_nothing_else(self, tmp_path, failure):
        path = tmp_path / "a.txt"
        path.write_text("old")
        with pytest.raises(failure), replacing(path) as temporary:
            temporary.write_text("half")
            raise failure
        assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]

    def test_folders_are_made_only_where_they_may_be(self, tmp_path):
        with pytest.raises(FileNotFoundError), replacing(tmp_path / "no" / "a", make_folders=False) as temporary:
            temporary.write_text("x")
        assert names(tmp_path) == []

    def test_the_file_has_the_rights_of_a_new_one(self, tmp_path):
        (tmp_path / "new").write_text("")
        with replacing(tmp_path / "a") as temporary:
            temporary.write_text("")
        first, second = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "new"))
        assert first == second

    def test_the_disk_has_it_before_the_name_changes(self, tmp_path, monkeypatch):
        steps = []
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, lambda *a, name=name, own=getattr(os, name): steps.append(name) or own(*a))
        with replacing(tmp_path / "a", sync=True) as temporary:
            temporary.write_text("x")
        assert steps == ["fsync", "replace"] and names(tmp_path) == ["a"]

    def test_the_longest_name_that_a_system_takes(self, tmp_path):
        path = tmp_path / f"{'n' * 250}.json"
        with replacing(path) as temporary:
            temporary.write_text("x")
        assert names(tmp_path) == [path.name]

    def test_two_at_once_do_not_share_the_temporary_name(self, tmp_path):
        with replacing(tmp_path / "a") as first, replacing(tmp_path / "a") as second:
            first.write_text("1")
            second.write_text("2")
        assert (tmp_path / "a").read_text() == "1" and names(tmp_path) == ["a"]


class TestSeveralFiles:
    @pytest.fixture
    def places(self, tmp_path):
        """Two finished files, and the names that they get; the first one's has an old file."""
        (tmp_path / "work").mkdir()
        for name in ("a", "b"):
            (tmp_path / "work" / name).write_text("new")
        (tmp_path / "a").write_text("old")
        return [(tmp_path / "work" / name, tmp_path / name) for name in ("a", "b")]

    def test_all_get_their_names(self, tmp_path, places):
        put_files(places)
        assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["new", "new"]

    def test_one_that_fails_changes_none(self, tmp_path, places, monkeypatch):
        replace = os.replace

        def refuse(source, target):
            if target == tmp_path / "b":
                raise OSError(13, "Permission denied")
            replace(source, target)

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match="Permission denied"):
            put_files(places)
        assert (tmp_path / "a").read_text() == "old" and names(tmp_path) == ["a", "work"]


class TestFolders:
    def test_the_folder_appears_whole_and_takes_the_old_ones_place(self, tmp_path):
        folder = tmp_path / "model"
        for content in ("first", "second"):
            with replacing_folder(folder) as temporary:
                (temporary / content).write_text(content)
        assert names(folder) == ["second"] and names(tmp_path) == ["model"]

    @pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
    def test_a_failure_leaves_the_old_folder_and_nothing_else(self, tmp_path, failure):
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "old").write_text("")
        with pytest.raises(failure), replacing_folder(tmp_path / "model") as temporary:
            (temporary / "half").write_text("")
            raise failure
        assert names(tmp_path) == ["model"] and names(tmp_path / "model") == ["old"]

    def test_a_failed_renaming_puts_the_old_one_back(self, tmp_path, monkeypatch):
        new, folder = tmp_path / "new", tmp_path / "model"
        for place, content in ((new, "new"), (folder, "old")):
            place.mkdir()
            (place / content).write_text("")
        replace = os.replace

        def refuse(source, target):
            if source == new:
                raise OSError(28, "No space left on device")
            replace(source, target)

        monkeypatch.setattr(os, "replace", refuse)
        monkeypatch.setattr(atomic_write, "_exchange", lambda first, second: False)
        with pytest.raises(OSError, match="No space"):
            put_folder(new, folder)
        assert names(folder) == ["old"] and names(tmp_path) == ["model", "new"]

    def test_a_folder_to_work_in_goes_in_the_end(self, tmp_path):
        with beside(tmp_path / "a" / "b.nii") as folder:
            (folder / "x").write_text("")
            assert folder.parent == tmp_path / "a"
        assert names(tmp_path / "a") == []


class TestAsOnWindows:
    """A file that somebody else has open is neither renamed nor deleted: PermissionError."""

    @pytest.fixture
    def opened(self, monkeypatch):
        """Refuse to rename to or from a path so many times; gives the number of refusals left, by path."""
        refusals, replace = {}, os.replace

        def refusing(source, target):
            for path in (source, target):
                if refusals.get(path, 0) > 0:
                    refusals[path] -= 1
                    raise PermissionError(13, "The process cannot access the file", str(path))
            replace(source, target)

        monkeypatch.setattr(atomic_write.os, "replace", refusing)
        monkeypatch.setattr(atomic_write, "_WAITS", (0.001,) * 3)
        return refusals

    def test_a_file_that_is_scanned_for_a_moment_is_replaced_after_it(self, tmp_path, opened):
        path = tmp_path / "a.txt"
        path.write_text("old")
        opened[path] = 3
        with replacing(path) as temporary:
            temporary.write_text("new")
        assert path.read_text() == "new" and names(tmp_path) == ["a.txt"] and opened[path] == 0

    def test_a_file_that_stays_open_stays_as_it_was(self, tmp_path, opened):
        path = tmp_path / "a.txt"
        path.write_text("old")
        opened[path] = 99
        with pytest.raises(PermissionError), replacing(path) as temporary:
            temporary.write_text("new")
        assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]

    def test_elsewhere_nobody_waits(self, tmp_path):
        assert os.name == "nt" or atomic_write._WAITS == ()

    def test_a_folder_in_use_is_not_deleted_in_part(self, tmp_path, opened):
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "model.json").write_text("{}")
        (folder / "weights.safetensors").write_text("w")
        opened[folder] = 99
        with pytest.raises(PermissionError):
            remove_folder(folder)
        assert names(folder) == ["model.json", "weights.safetensors"]
        opened.clear()
        remove_folder(folder)
        assert names(tmp_path) == []

    def test_what_an_earlier_deletion_left_goes_with_the_next(self, tmp_path):
        for name in (".0123456789ab.old", "model", "other"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").write_text("")
        remove_folder(tmp_path / "model")
        assert names(tmp_path) == ["other"]


def _replace_many_times(folder: str, count: int) -> None:
    for number in range(count):
        with replacing_folder(folder) as temporary:
            (temporary / "a").write_text(f"{os.getpid()} {number}")
            (temporary / "b").write_text(f"{os.getpid()} {number}")


def test_processes_that_replace_one_folder_at_the_same_time(tmp_path):
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    processes = [context.Process(target=_replace_many_times, args=(tmp_path / "model", 40)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "a").read_text() == (tmp_path / "model" / "b").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux swaps names")
def test_a_folder_that_is_replaced_is_there_at_every_moment(tmp_path):
    with replacing_folder(tmp_path / "model") as temporary:
        (temporary / "a").write_text("first")
    replacing_often = threading.Thread(target=_replace_many_times, args=(tmp_path / "model", 200))
    replacing_often.start()
    looks = 0
    while replacing_often.is_alive():
        assert (tmp_path / "model" / "a").exists()
        looks += 1
    replacing_often.join()
    assert looks > 10 and names(tmp_path) == ["model"]

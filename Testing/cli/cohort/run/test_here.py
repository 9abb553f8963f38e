"""While one volume is computed the next one is read and the last one written, and each keeps its own failures."""

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
from tiny_work import Copy, text_tasks

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from training_cli.cohort.run.here import here
from training_cli.cohort.run.steps import attempt
from training_cli.cohort.run.work import Done, Task
from training_cli.commands.translate_request import Asked
from training_cli.commands.works.translate import work_of

PATIENCE = 20  # seconds that nothing here needs, unless things that have to overlap do not


@dataclass(frozen=True)
class Overlapping(Copy):
    """Computes each text only when the next one has been read and the last one is written."""

    read: list = field(default_factory=list)
    seen: list = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def ahead(self, task):
        with self.changed:
            self.read.append(task.volume)
            self.changed.notify_all()
        return ()

    def run(self, task, title, files):
        number = int(task.volume[:2])
        before = task.outputs[0].with_name(f"{number - 1:02}.txt")
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.read) >= min(number + 2, 5), PATIENCE)
            assert number == 0 or self.changed.wait_for(before.exists, PATIENCE)
            self.seen.append(len(self.read) - number - 1)
        done = super().run(task, title, files)
        files.later(self._tell)
        return done

    def _tell(self):
        with self.changed:
            self.changed.notify_all()


def done_here(work, tasks):
    with here()(work) as doing:
        return list(doing(tasks))


def test_reading_and_writing_go_beside_computing(tmp_path):
    work = Overlapping()
    finished = done_here(work, text_tasks(tmp_path, 5))
    assert [each.task.volume for each in finished] == work.read == [f"{n:02}.txt" for n in range(5)]
    assert all(isinstance(each.outcome, Done) and each.seconds > 0 and each.digest for each in finished)
    assert work.seen == [1, 1, 1, 1, 0]  # never more than one volume ahead


def test_each_volume_has_its_own_failures(tmp_path):
    tasks = text_tasks(tmp_path, 6)
    tasks[1].inputs[0].unlink()
    tasks[3].inputs[0].write_text("bug")
    tasks[4].outputs[0].mkdir(parents=True)  # where a file has to be written
    finished = done_here(Copy(), tasks)
    reasons = [getattr(each.outcome, "sentence", "") for each in finished]
    assert [bool(reason) for reason in reasons] == [False, True, False, True, True, False]
    assert reasons[1].endswith("01.txt: No such file or directory.") and reasons[4].endswith("Is a directory.")
    written = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_file())
    assert written == ["00.txt", "02.txt", "05.txt"]


def test_who_interrupts_a_volume_keeps_the_one_before(tmp_path):
    class Interrupted(BaseException):
        pass

    class Stopped(Copy):
        def run(self, task, title, files):
            if task.volume == "02.txt":
                raise Interrupted
            return super().run(task, title, files)

    finished = []
    with pytest.raises(Interrupted), here()(Stopped()) as doing:
        for each in doing(text_tasks(tmp_path, 5)):
            finished.append(each.task.volume)
    assert finished == ["00.txt", "01.txt"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == finished


def test_voxels_are_those_of_one_step_after_the_other(tmp_path, head_volume, tiny_model):
    tasks = []
    for number in range(3):
        path = tmp_path / "in" / f"p{number}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        write_volume(head_volume(number), path)
        tasks.append(Task(path.name, (path,), (tmp_path / "out" / path.name,)))
    nothing = dict.fromkeys(("plane", "mask", "match", "report", "maps", "error_map"))
    asked = Asked(
        source=tmp_path / "in",
        output=tmp_path / "out",
        direction="forward",
        strength="1",
        pattern="*",
        dicom=False,
        quality="none",
        uncertainty="quick",
        deidentify=False,
        **nothing,
    )
    run = {"device": "cpu", "precision": "fp32", "backend": "torch", "batch_size": None, "force": False}
    work, _ = work_of(asked, str(tiny_model), Adjustments(), run)
    assert all(isinstance(each.outcome, Done) for each in done_here(work, tasks))
    beside = [read_volume(task.outputs[0]).array for task in tasks]
    ready = work.prepare()
    for task, array in zip(tasks, beside, strict=True):
        assert isinstance(attempt(ready, task).outcome, Done)
        assert np.array_equal(read_volume(task.outputs[0]).array, array)

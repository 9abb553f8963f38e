"""The commands of AGENTS.md run as they stand there, and what llms.txt points to is there."""

import re
import shlex
from pathlib import Path

import pytest
from tiny_models import oblique_head

from surgical_style_engine.imageio.write import write_volume

ROOT = Path(__file__).resolve().parents[2]
LONG = {"adapt", "train"}  # only its options are looked at


def commands():
    text = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).splitlines()
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files that the commands name, small."""
    for name, seed in (("head_T1", 1), ("head_T2", 2), ("moved_T2", 2)):
        write_volume(oblique_head(seed), tmp_path / f"{name}.nii.gz")
    for name in ("cohort/a_T1.nii.gz", "cohort/b_T1.nii.gz", "t1_folder/a.nii.gz", "t2_folder/b.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_volume(oblique_head(3), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SST_PROBE", "off")
    return tmp_path


def test_the_commands_run_as_they_stand(sst, folder):
    ran = []
    for program, command, *arguments in commands():
        assert program == "sst"
        if command in LONG:
            helped = sst(command, "--help")
            options = [word for word in arguments if word.startswith("--")]
            assert helped.code == 0 and options and all(option in helped.out for option in options), command
            continue
        ended = sst(command, *arguments)
        # Two heads of random noise may have nothing in common, which register says; that is no wrong command.
        assert ended.code == 0 or (command == "register" and ended.code == 1), (command, arguments, ended)
        ran.append(command)
    assert ran.count("translate") == 3 and {"evaluate", "fuse", "register", "report", "doctor", "models"} <= set(ran)
    for name in ("head_T2w.nii.gz", "report.json", "figures.json", "figures.html", "fused.nii.gz", "translated"):
        assert (folder / name).exists(), name


def test_llms_txt_points_to_files_that_are_there():
    for name in ("llms.txt", "AGENTS.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
        assert links and [link for link in links if not (ROOT / link).is_file()] == []
    assert (ROOT / "llms.txt").read_text(encoding="utf-8").startswith("# SurgicalStyleTransfer\n\n> ")

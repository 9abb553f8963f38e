"""The program as a whole: help, version, usage errors, and one sentence for every failure."""

import os
import signal
import subprocess
import sys

import pytest
import warm_python

from surgical_style_engine import __version__
from surgical_style_engine.imageio.write import write_volume
from training_cli import main as program


def test_help_names_every_command(sst):
    ended = sst("--help")
    assert ended.code == 0
    for name in program.COMMANDS:
        assert f" {name} " in ended.out


def test_no_arguments_show_the_help(sst):
    assert "Usage" in sst().out


def test_version(sst):
    assert sst("--version").out.strip() == f"sst {__version__}"


@pytest.mark.parametrize("arguments", [("nonsense",), ("translate",), ("translate", "--nonsense"), ("train", "x")])
def test_wrong_usage_is_2_without_a_traceback(sst, arguments):
    ended = sst(*arguments)
    assert ended.code == 2 and "Traceback" not in ended.err and ended.err


@pytest.mark.parametrize("name", sorted(program.COMMANDS))
def test_every_command_has_help_in_words(sst, name):
    ended = sst(name, "--help")
    assert ended.code == 0 and len(ended.out) > 200


def test_failures_of_the_system_are_one_sentence(monkeypatch, refused):
    for error, words, code in (
        (PermissionError(13, "Permission denied", "/there"), "/there: Permission denied.", 1),
        (MemoryError(), "too little memory", 1),
        (KeyboardInterrupt(), "Interrupted", 130),
        (ModuleNotFoundError("No module named 'x.y'", name="x.y"), "needs the Python package x.y, which is not", 1),
    ):

        def broken(_names, error=error):
            raise error

        monkeypatch.setattr(program, "build_app", broken)
        assert words in refused("doctor", code=code)


SLOW_WRITING = """
import signal, sys, time
import SimpleITK as sitk
from training_cli.main import main
# As a shell starts it, also where the tests themselves were started to ignore these.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
write = sitk.WriteImage
def slow(image, name, *more, **options):
    write(image, name, *more, **options)
    print("writing", flush=True)
    time.sleep(60)
sitk.WriteImage = slow
main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [("SIGTERM", 143, "Terminated"), ("SIGHUP", 129, "Terminated"), ("SIGINT", 130, "Interrupted")],
)
def test_a_signal_is_one_sentence_and_leaves_nothing(tmp_path, head_volume, tiny_model, number, code, word):
    write_volume(head_volume(), tmp_path / "in.nrrd")
    out = tmp_path / "out"
    out.mkdir()
    arguments = ["translate", tmp_path / "in.nrrd", out / "o.nrrd", "--model", tiny_model, "--progress", "none"]
    run = subprocess.Popen(
        [warm_python.command(), "-c", SLOW_WRITING, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "writing\n" and len(list(out.iterdir())) == 1
    run.send_signal(getattr(signal, number))
    _, said = run.communicate(timeout=90)
    assert (run.returncode, said) == (code, f"sst: {word}.\n") and list(out.iterdir()) == []


def test_what_a_library_makes_of_a_signal_is_no_failure_of_its_own(monkeypatch, refused):
    def interrupted(_names):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("the two volumes do not overlap enough") from None

    monkeypatch.setattr(program, "build_app", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert refused("doctor", code=130) == "Interrupted."
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_help_and_the_engine_load_no_torch():
    code = (
        "import sys\nfrom training_cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "import surgical_style_engine, surgical_style_engine.models.folder\n"
        "assert not {'torch', 'SimpleITK', 'monai'} & set(sys.modules), 'heavy imports'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_too_little_memory_is_said_before_a_library_ends_the_process(monkeypatch, refused):
    monkeypatch.setattr("training_cli.main.room_left", lambda: 5 << 20)
    sentence = refused("inspect", "any.nii.gz", code=1)
    assert "5 MB" in sentence and "ulimit" in sentence

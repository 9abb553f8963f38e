"""The package's public names: light to import, and what they say they are."""

import doctest
import os
import subprocess
import sys

import pytest

import surgical_style_engine


def said_by(code):
    """What a new Python prints."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return said.stdout.strip()


HEAVY = ("torch", "numpy", "SimpleITK", "pydantic", "openvino", "monai")


def test_importing_the_package_imports_nothing_else():
    code = f"import sys, surgical_style_engine; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    assert said_by(code) == "[]"


@pytest.mark.parametrize("name", surgical_style_engine.__all__)
def test_every_name_is_there(name):
    value = getattr(surgical_style_engine, name)
    if name != "__version__":
        assert value.__name__ == name and value.__doc__ and value.__module__.startswith("surgical_style_engine.")
    assert name in dir(surgical_style_engine)


def test_no_name_imports_torch():
    code = (
        "import sys, surgical_style_engine as engine\n"
        "for name in engine.__all__: getattr(engine, name)\n"
        "print('torch' in sys.modules)"
    )
    assert said_by(code) == "False"


def test_what_is_not_there_says_so():
    with pytest.raises(AttributeError, match="no attribute 'translate_everything'"):
        surgical_style_engine.translate_everything  # noqa: B018


def test_the_example_runs():
    result = doctest.testmod(surgical_style_engine)
    assert result.attempted > 8 and result.failed == 0

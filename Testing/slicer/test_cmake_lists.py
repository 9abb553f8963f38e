"""CMake installs only what is listed: the lists must be the tree. Run as a program, this file writes them anew."""

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "SurgicalStyleTransfer"
LISTS = MODULE / "CMakeLists.txt"
METHODS = "training_cli/training/methods"
NOT_INSTALLED = {"Testing", "__pycache__", "CMakeLists.txt", ".gitkeep"}


def tree():
    """(scripts, resources) of the module's folder, relative; what git ignores is left out."""
    known = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=MODULE,
        capture_output=True,
        text=True,
    )
    if known.returncode == 0:
        names = [name for name in known.stdout.splitlines() if (MODULE / name).is_file()]
    else:  # an unpacked archive, not a clone
        names = [path.relative_to(MODULE).as_posix() for path in MODULE.rglob("*") if path.is_file()]
    names = sorted(name for name in set(names) if not NOT_INSTALLED & set(Path(name).parts))
    return [name for name in names if name.endswith(".py")], [name for name in names if not name.endswith(".py")]


def training():
    """What adapting a style imports of the command, relative to the repository."""
    waiting, seen = ["training_cli.adapt.tasks"], set()
    while waiting:
        name = waiting.pop()
        path = ROOT / name.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        package = name if path.is_dir() else name.rpartition(".")[0]
        waiting += [".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 1)]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                waiting += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        waiting = [name for name in waiting if name.split(".")[0] == "training_cli"]
        # The methods are found by their names in the configuration.
        waiting += [f"training_cli.training.methods.{method.stem}" for method in (ROOT / METHODS).glob("*.py")]
    return sorted(file.relative_to(ROOT).as_posix() for file in seen)


def listed(text, variable):
    found = re.search(rf"set\({variable}\n(.*?)\n?  \)", text, re.DOTALL)
    return [line.strip().replace("${MODULE_NAME}", "SurgicalStyleTransfer") for line in found[1].splitlines()]


def test_every_python_file_and_resource_is_listed_and_nothing_else():
    scripts, resources = tree()
    text = LISTS.read_text(encoding="utf-8")
    hint = "run: python Testing/slicer/test_cmake_lists.py"
    assert listed(text, "MODULE_PYTHON_SCRIPTS") == scripts, hint
    assert listed(text, "MODULE_PYTHON_RESOURCES") == resources, hint
    assert listed(text, "TRAINING_PYTHON_SCRIPTS") == training(), hint
    assert "surgical_style_engine/worker/__main__.py" in scripts and "Resources/requirements.txt" in resources


def write():
    text = LISTS.read_text(encoding="utf-8")
    variables = ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES", "TRAINING_PYTHON_SCRIPTS")
    for variable, names in zip(variables, (*tree(), training()), strict=True):
        lines = "".join(f"  {name}\n" for name in names)
        text = re.sub(rf"set\({variable}\n.*?  \)", f"set({variable}\n{lines}  )", text, flags=re.DOTALL)
    LISTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()

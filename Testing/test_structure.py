"""The limits that keep the code easy to find one's way in, and its words; each exception is named, with its reason."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULE = ROOT / "SurgicalStyleTransfer"
MOST_MODULES, MOST_MODULE_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 16, 400, 60, 8
COMMAND = "a Typer command: one parameter an option"
MANY_PARAMETERS = {
    "surgical_style_engine/app/report.py new_report": "one keyword a key of the report",
    "surgical_style_engine/inference/stylize.py stylize_volume": "the style, and what is done with the result",
    "surgical_style_engine/models/dicom_output.py write_dicom_series": "what a header says of a translation",
    "training_cli/adapt/command.py adapt": COMMAND,
    "training_cli/commands/benchmark.py benchmark": COMMAND,
    "training_cli/commands/compare.py compare": COMMAND,
    "training_cli/harmonise/command.py harmonise": COMMAND,
    "training_cli/commands/demo.py demo": COMMAND,
    "training_cli/commands/evaluate.py evaluate": COMMAND,
    "training_cli/commands/fuse.py fuse": COMMAND,
    "training_cli/commands/models.py import_": COMMAND,
    "training_cli/commands/register.py register": COMMAND,
    "training_cli/commands/stylize.py stylize": COMMAND,
    "training_cli/commands/translate.py translate": COMMAND,
}
LONG_TEST_MODULES = {
    "Testing/compatibility/make_fixtures.py": "made the fixtures of version 0.1.0 once, and stays as it was then",
}
# The centre of the first voxel, in mm. Elsewhere a domain could be meant, which is called source.
ORIGIN = {
    "SurgicalStyleTransferLib/mrml/geometry.py",
    "surgical_style_engine/imageio/read_back.py",
    "surgical_style_engine/volumes/body_mask.py",
    "surgical_style_engine/volumes/geometry.py",
    "surgical_style_engine/volumes/volume.py",
    "surgical_style_engine/worker/messages.py",
    "surgical_style_engine/worker/schema.py",
    "training_cli/adapt/volumes.py",
}


@functools.cache
def product() -> dict[str, str]:
    """The texts of the product's modules, by their paths."""
    files = [MODULE / "SurgicalStyleTransfer.py"]
    for folder in (MODULE / "surgical_style_engine", MODULE / "SurgicalStyleTransferLib", ROOT / "training_cli"):
        files += sorted(folder.rglob("*.py"))
    return {path.relative_to(_base(path)).as_posix(): path.read_text(encoding="utf-8") for path in files}


def _base(path: Path) -> Path:
    return MODULE if path.is_relative_to(MODULE) else ROOT


@functools.cache
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(text) for name, text in product().items()}


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function and method, with "path name"."""
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name} {node.name}", node


def variables(tree: ast.Module) -> set[str]:
    """Names of variables and parameters."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def identifiers(tree: ast.Module) -> set[str]:
    """Names of whatever a module gives a name to, or calls by one."""
    nodes = list(ast.walk(tree))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return names | {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg} | variables(tree)


def parameters(node: ast.FunctionDef) -> int:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return sum(argument.arg not in ("self", "cls") for argument in arguments)


def test_the_product_is_looked_at():
    assert {"SurgicalStyleTransfer.py", "surgical_style_engine/errors.py", "training_cli/main.py"} <= set(product())
    assert len(product()) > 200


def test_no_folder_has_too_many_modules():
    counts = Counter(Path(name).parent.as_posix() for name in product() if Path(name).name != "__init__.py")
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_no_module_is_too_long():
    lengths = {name: len(text.splitlines()) for name, text in product().items()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_MODULE_LINES} == {}


def test_no_test_module_is_too_long():
    files = [path for folder in (ROOT / "Testing", MODULE / "Testing") for path in folder.rglob("*.py")]
    assert len(files) > 150
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name for name, lines in lengths.items() if lines > MOST_MODULE_LINES} == set(LONG_TEST_MODULES)


def test_no_function_is_too_long():
    lengths = {name: node.end_lineno - node.lineno + 1 for name, node in functions()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_FUNCTION_LINES} == {}


def test_no_function_has_too_many_parameters():
    assert {name for name, node in functions() if parameters(node) > MOST_PARAMETERS} == set(MANY_PARAMETERS)


@pytest.mark.parametrize("word", ["critic", "goal"])
def test_words_of_the_field(word):
    """The field says discriminator and target."""
    part = re.compile(rf"(^|_){word}s?(_|$)|{word.capitalize()}(s?[A-Z_]|s?$)")
    assert {name: used for name, tree in trees().items() if (used := set(filter(part.search, identifiers(tree))))} == {}


def test_origin_is_no_domain():
    assert {name for name, tree in trees().items() if "origin" in variables(tree)} == ORIGIN


@pytest.mark.parametrize("word", ["found", "made", "wanted"])
def test_variables_say_what_they_hold(word):
    assert [name for name, tree in trees().items() if word in variables(tree)] == []


def test_the_formatter_has_the_last_word():
    files = [
        path
        for part in ("SurgicalStyleTransfer", "training_cli", "Testing", "docs")
        for path in (ROOT / part).rglob("*.py")
    ]
    marks = re.compile(r"#\s*fmt:" + r"\s*(skip|off)")
    assert files and [path for path in files if marks.search(path.read_text(encoding="utf-8"))] == []

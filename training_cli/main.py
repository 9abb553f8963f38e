"""The command `sst`: finds the subcommand, and turns every failure into one sentence and an exit code."""

from __future__ import annotations

import importlib
import os
import sys

import typer

# Each subcommand's module is imported only when it is asked for (or listed by `sst --help`); none imports torch.
COMMANDS = {
    "demo": "training_cli.commands.demo:demo",
    "train": "training_cli.commands.train:train",
    "translate": "training_cli.commands.translate:translate",
    "evaluate": "training_cli.commands.evaluate:evaluate",
    "stylize": "training_cli.commands.stylize:stylize",
    "fuse": "training_cli.commands.fuse:fuse",
    "register": "training_cli.commands.register:register",
    "report": "training_cli.commands.report:report",
    "models": "training_cli.commands.models:app",
    "benchmark": "training_cli.commands.benchmark:benchmark",
    "doctor": "training_cli.commands.doctor:doctor",
}


def build_app(names: list[str]) -> typer.Typer:
    """The Typer application with the named subcommands."""
    app = typer.Typer(
        help="Medical image style transfer: train models, translate volumes, judge the result.",
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    )  # fmt: skip

    @app.callback(invoke_without_command=True)
    def program(
        context: typer.Context, version: bool = typer.Option(False, "--version", help="show the version and exit")
    ) -> None:
        if version:
            from surgical_style_engine import __version__

            typer.echo(f"sst {__version__}")
            raise typer.Exit
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())
            raise typer.Exit

    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run ``sst`` with these arguments (the process's own by default); always ends in SystemExit."""
    from surgical_style_engine.errors import StyleTransferError

    arguments = sys.argv[1:] if arguments is None else arguments
    named = [argument for argument in arguments if not argument.startswith("-")][:1]
    names = named if named and named[0] in COMMANDS else list(COMMANDS)
    try:
        build_app(names)(args=arguments, prog_name="sst")
    except StyleTransferError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        fail("Interrupted.", 130)
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ModuleNotFoundError as error:
        fail(f"This needs the Python package {error.name}, which is not installed.", 1)
    except MemoryError:
        fail("There is too little memory for this; try a smaller volume or batch.", 1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        fail(f"{place}{error.strerror or error}.", 1)


def fail(sentence: str, code: int) -> None:
    """One line on stderr, then exit."""
    print(f"sst: {' '.join(sentence.split())}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()

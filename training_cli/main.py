"""The command `sst`: finds the subcommand, and turns every failure into one sentence and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import typer
import typer.core

from surgical_style_engine import __version__
from surgical_style_engine.common.memory_limit import room_left
from surgical_style_engine.errors import StyleTransferError
from training_cli.terminal import printable

# Each subcommand's module is imported only when it is asked for (or listed by `sst --help`); none imports torch.
COMMANDS = {
    "demo": "training_cli.commands.demo:demo",
    "train": "training_cli.commands.train:train",
    "adapt": "training_cli.adapt.command:adapt",
    "translate": "training_cli.commands.translate:translate",
    "harmonise": "training_cli.harmonise.command:harmonise",
    "inspect": "training_cli.commands.inspect:inspect",
    "evaluate": "training_cli.commands.evaluate:evaluate",
    "compare": "training_cli.commands.compare:compare",
    "stylize": "training_cli.commands.stylize:stylize",
    "fuse": "training_cli.commands.fuse:fuse",
    "register": "training_cli.commands.register:register",
    "report": "training_cli.commands.report:report",
    "models": "training_cli.commands.models:app",
    "benchmark": "training_cli.commands.benchmark:benchmark",
    "doctor": "training_cli.commands.doctor:doctor",
}

# Bytes. With less, the system's loader ends the process without a word as soon as a library starts a thread.
LEAST_ROOM = 128 << 20


def build_app(names: list[str]) -> typer.Typer:
    """The Typer application with the named subcommands."""
    app = typer.Typer(
        cls=_Group,
        help="Medical image style transfer: train models, translate volumes, judge the result.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback(invoke_without_command=True)
    def program(
        context: typer.Context, version: bool = typer.Option(False, "--version", help="show the version and exit")
    ) -> None:
        if version:
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


class Interrupted(BaseException):
    """A signal asks to end.

    Like KeyboardInterrupt no Exception, so that only what cleans up takes notice; a kind of its own, because Typer
    would end at a KeyboardInterrupt without a word.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_came: list[int] = []  # signals that ask to end


def check_signals() -> None:
    """End as a signal asked for that came, and that a library may have called a failure of its own."""
    if _came:
        raise Interrupted(_came[0])


class _Group(typer.core.TyperGroup):
    def invoke(self, context: Any) -> Any:
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            raise Interrupted(signal.SIGINT) from None


@contextlib.contextmanager
def _ending_signals() -> Iterator[list[int]]:
    """Within it, what would end the process at once ends it as Ctrl-C does: what is half done is cleaned up.

    Gives the signals that came.
    """
    process, came = os.getpid(), _came
    came.clear()

    def end(number: int, _frame: object) -> None:
        if os.getpid() != process:  # a child that was forked has nothing of this to clean up
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        signal.signal(number, signal.SIG_IGN)  # once is enough, and cleaning up must not be cut short
        came.append(number)
        raise Interrupted(number)

    def interrupt(number: int, _frame: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    previous = {}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with contextlib.suppress(ValueError):
            previous[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # nohup and the like have had signals ignored, which stays.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with contextlib.suppress(ValueError):  # not in the main thread
                previous[number] = signal.signal(number, end)
    try:
        yield came
    except Exception as error:
        if not came:
            raise
        # A library that was interrupted may call it a failure of its own.
        raise Interrupted(came[0]) from error
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def main(arguments: list[str] | None = None) -> None:
    """Run ``sst`` with these arguments (the process's own by default); always ends in SystemExit."""
    arguments = sys.argv[1:] if arguments is None else arguments
    named = [argument for argument in arguments if not argument.startswith("-")][:1]
    names = named if named and named[0] in COMMANDS else list(COMMANDS)
    if (room := room_left()) is not None and room < LEAST_ROOM:
        fail(
            f"The system lets this process take only {room >> 20} MB of memory more (ulimit -v); it needs "
            f"{LEAST_ROOM >> 20} MB at least.",
            1,
        )
    try:
        with _ending_signals():
            build_app(names)(args=arguments, prog_name="sst")
    except Interrupted as interrupted:
        what = "Interrupted" if interrupted.number == signal.SIGINT else "Terminated"
        fail(f"{what}.", 128 + interrupted.number)
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
    print(printable(f"sst: {' '.join(sentence.split())}", err=True), file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()

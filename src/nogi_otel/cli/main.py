"""See what a live Python service does, on the trace of the request that made it do it.

Start a service armed, then open the gate when you need it:

  opentelemetry-instrument python app.py     no code change, nothing recorded yet
  nogi-otel listen                           in another terminal
  kill -USR1 PID                             open the gate
  kill -USR2 PID                             close it
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

from nogi_otel.errors import NogiError
from nogi_otel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS: Final = ("listen", "demo", "events")
"""The verbs, each a module of this package of the same name; in the order of the help."""

_KEYBOARD_INTERRUPT: Final = 130
_BROKEN_PIPE: Final = 141


class Verb(Protocol):
    """What a module of a verb has. Its docstring is the help: a first line, then the rest."""

    __doc__: str | None

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the options and arguments."""

    @staticmethod
    def run(arguments: argparse.Namespace) -> int:
        """Do it and give the exit code; a ``NogiError`` becomes a message and its exit code."""


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: the one place where an error becomes one."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = argparse.Namespace(json=False)
    try:
        arguments = parse(argv)
        code = _load(arguments.verb).run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except NogiError as error:
        _report(error, as_json=arguments.json)
        return error.exit_code
    except KeyboardInterrupt:
        return _KEYBOARD_INTERRUPT
    except BrokenPipeError:
        # Whoever read our output has gone. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return code


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line; ``verb`` and ``json`` are always set.

    Only the module of the verb that is run is imported, all of them only for the general help.
    """
    parser = build_parser([argv[0]] if argv and argv[0] in VERBS else VERBS)
    arguments = parser.parse_args(argv)
    if arguments.verb is None:
        parser.error(f"name what to do: {', '.join(VERBS)} (--help explains)")
    return arguments


def build_parser(verbs: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """Give the parser, with a sub-parser for each of ``verbs``."""
    parser = argparse.ArgumentParser(
        prog="nogi-otel",
        description=__doc__,
        epilog="nogi-otel VERB --help explains each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nogi-otel {__version__}")
    parser.set_defaults(json=False)
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name in verbs:
        verb = _load(name)
        description = (verb.__doc__ or "").strip()
        subparser = subparsers.add_parser(
            name,
            help=description.partition("\n")[0],
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.add_arguments(subparser)
    return parser


def _load(name: str) -> Verb:
    return cast("Verb", import_module(f"nogi_otel.cli.{name}"))


def _report(error: NogiError, *, as_json: bool) -> None:
    """Say on stderr what went wrong; standard output holds results only."""
    if as_json:
        report = {
            "error": type(error).__name__,
            "message": str(error),
            "exit_code": error.exit_code,
        }
        print(json.dumps(report), file=sys.stderr)
    else:
        print(f"nogi-otel: {error}", file=sys.stderr)

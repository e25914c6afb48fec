"""The frame of the command line: verbs, exit codes, messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from nogi_otel.cli import main
from nogi_otel.errors import NogiError, RecordingError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_verb(monkeypatch: pytest.MonkeyPatch, run: Callable[[argparse.Namespace], int]) -> None:
    """Add a verb ``act`` that does what a test needs."""
    verb = ModuleType("nogi_otel.cli.act", "Act for a test.\n\nMore about it.")
    vars(verb).update(
        add_arguments=lambda parser: parser.add_argument("--json", action="store_true"), run=run
    )
    monkeypatch.setitem(sys.modules, "nogi_otel.cli.act", verb)
    monkeypatch.setattr(main, "VERBS", (*main.VERBS, "act"))


def raise_error(error: BaseException) -> Callable[[argparse.Namespace], int]:
    """Give a verb that raises."""

    def run(_: argparse.Namespace) -> int:
        raise error

    return run


def test_a_verb_gives_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a verb returns is what the process ends with."""
    add_verb(monkeypatch, lambda _: 7)
    assert main.run(["act"]) == 7


def test_an_error_is_a_message_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A NogiError becomes one line on stderr, without a traceback, and its own exit code."""
    add_verb(monkeypatch, raise_error(RecordingError("no space; free some")))
    assert main.run(["act"]) == 5
    assert capsys.readouterr() == ("", "nogi-otel: no space; free some\n")


def test_an_error_is_json_where_json_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that asked for JSON can read why it got none; stdout stays empty."""
    add_verb(monkeypatch, raise_error(NogiError("broken")))
    assert main.run(["act", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {"error": "NogiError", "message": "broken", "exit_code": 1}


def test_an_interrupt_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends quietly with the shell's code for it."""
    add_verb(monkeypatch, raise_error(KeyboardInterrupt()))
    assert main.run(["act"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is none of ours keeps its traceback."""
    add_verb(monkeypatch, raise_error(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main.run(["act"])


PIPE = """
import sys, types
from nogi_otel.cli import main
verb = types.ModuleType("nogi_otel.cli.act", "Act.")
verb.add_arguments = lambda parser: None
verb.run = lambda arguments: print("x" * {size}) or 0
sys.modules["nogi_otel.cli.act"] = verb
main.VERBS = ("act",)
sys.stdin.read()
sys.exit(main.run(["act"]))
"""


@pytest.mark.parametrize("size", [10, 100_000], ids=["buffered", "written"])
def test_a_reader_that_has_gone_is_no_error(size: int) -> None:
    """A closed pipe ends a command quietly, with the shell's code for SIGPIPE."""
    command = [sys.executable, "-c", PIPE.format(size=size)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as child:  # type: ignore[call-overload]
        child.stdout.close()
        child.stdin.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


@pytest.mark.parametrize("arguments", [[], ["no-such-verb"], ["--no-such-option"]])
def test_a_command_line_that_is_wrong_is_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage errors name the verbs there are."""
    with pytest.raises(SystemExit) as end:
        main.run(arguments)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "usage: nogi-otel" in err


def parser_line(parser: argparse.ArgumentParser) -> str:
    """Give the first line of a parser's description."""
    return (parser.description or "").splitlines()[0]


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The general help has a line for it, its own help an example, every option a word."""
    with pytest.raises(SystemExit):
        main.run([verb, "--help"])
    assert f"  nogi-otel {verb}" in capsys.readouterr().out
    parser = main.build_parser([verb])
    (verbs,) = [a for a in parser._actions if a.dest == "verb"]
    assert isinstance(verbs.choices, dict)
    for action in verbs.choices[verb]._actions:
        assert action.help, action.option_strings
    with pytest.raises(SystemExit):
        main.run(["--help"])
    listed = " ".join(capsys.readouterr().out.split())
    assert f" {verb} {parser_line(verbs.choices[verb])} " in listed


def test_the_module_is_the_command() -> None:
    """``python -m nogi_otel`` is ``nogi-otel``."""
    child = subprocess.run(
        [sys.executable, "-m", "nogi_otel", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert child.stdout.startswith("nogi-otel ")

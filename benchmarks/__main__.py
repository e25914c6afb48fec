"""``python -m benchmarks``: measure the cases, interleaved, and print them side by side."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.case import NotHereError, load_cases
from benchmarks.table import build_json, build_tables, describe_machine, render_markdown

if TYPE_CHECKING:
    from benchmarks.case import Case, Measured

ROUNDS = 5
DEADLINE_S = 300
EXIT_NOT_HERE = 77
ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="CASE", help="names or globs; all by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="default: 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--case", help=argparse.SUPPRESS)  # what a child is asked for
    options = parser.parse_args()
    cases = load_cases()
    if options.case:
        return run_child(cases[options.case])
    wanted = {
        name: case
        for name, case in cases.items()
        if not options.only or any(fnmatchcase(name, pattern) for pattern in options.only)
    }
    if options.list:
        print("\n".join(f"{name:24} {case.table:16} {case.title}" for name, case in wanted.items()))
        return 0
    if not wanted or options.rounds < 1:
        parser.error("nothing to measure: name a case of --list, and one round or more")
    measured, missing = run_rounds(wanted, options.rounds)
    tables, machine = build_tables(wanted, measured, missing), describe_machine()
    text = render_markdown(tables, machine, options.rounds)
    print(text, end="")
    if options.markdown:
        options.markdown.write_text(text)
    if options.json:
        figures = build_json(tables, machine, options.rounds)
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def run_rounds(
    cases: dict[str, Case], rounds: int
) -> tuple[dict[str, list[Measured]], dict[str, str]]:
    """Measure each case once a round; return the figures, and why a case has none."""
    measured: dict[str, list[Measured]] = {}
    missing: dict[str, str] = {}
    for number in range(rounds):
        for name in cases:
            if name in missing:
                continue
            tell(f"round {number + 1}/{rounds} {name}")
            command = [sys.executable, "-m", "benchmarks", "--case", name]
            child = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                cwd=ROOT,
                env=build_environment(),
            )
            if child.returncode == EXIT_NOT_HERE:
                missing[name] = child.stdout.strip()
            elif child.returncode:
                sys.exit(f"\n{name} failed ({child.returncode}):\n{child.stdout}{child.stderr}")
            else:
                measured.setdefault(name, []).append(json.loads(child.stdout.splitlines()[-1]))
    tell("")
    return measured, missing


def tell(text: str) -> None:
    """Show on a terminal what is being done."""
    if sys.stderr.isatty():
        print(f"\r{text:60}\r", end="", file=sys.stderr, flush=True)


def build_environment() -> dict[str, str]:
    """Return the environment without what would change a case: settings, proxies, bundles."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OTEL_")
        and not name.lower().endswith("_proxy")
        and name not in {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    }


def run_child(case: Case) -> int:
    """Measure one case in this process; print its figures as JSON."""
    try:
        measured = case.measure()
    except NotHereError as error:
        print(error, flush=True)
        status = EXIT_NOT_HERE
    else:
        print(json.dumps(measured), flush=True)
        status = 0
    os._exit(status)  # a peer's thread that is no daemon would keep the process for ever


if __name__ == "__main__":
    sys.exit(main())

"""Show the catalogue: which audit events there are, and what becomes of each.

  nogi-otel events                          all that CPython raises
  nogi-otel events 'socket.*'               those that a glob matches
  nogi-otel events --profile incident       those that a profile selects
  nogi-otel events --class network --json   one JSON object a line, with every detail

A name that the catalogue does not have is an application's own event: it is captured like any
other, its arguments with their types.
"""

from __future__ import annotations

import json
import shutil
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from nogi_otel.catalogue import CATALOGUE, PROFILES, profiles_of
from nogi_otel.errors import SelectionError
from nogi_otel.redaction.schema import name_rule

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from nogi_otel.catalogue.entry import Entry

_COLUMNS = ("EVENT", "CLASS", "PROFILES", "ATTRIBUTES", "WITHHELD")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("glob", nargs="?", default="*", help="only events that match, all if none")
    parser.add_argument("--profile", choices=tuple(PROFILES), help="only what this profile selects")
    parser.add_argument(
        "--class",
        dest="event_class",
        choices=sorted({entry.event_class for entry in CATALOGUE.values()}),
        help="only events of this class",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Print what was asked for."""
    entries = [
        entry
        for event, entry in sorted(CATALOGUE.items())
        if fnmatchcase(event, arguments.glob)
        and arguments.event_class in {None, entry.event_class}
        and (arguments.profile is None or arguments.profile in profiles_of(event))
    ]
    if not entries:
        raise SelectionError(
            f"no event of the catalogue matches {arguments.glob!r}; quote a glob such as 'socket.*'"
        )
    if arguments.json:
        for entry in entries:
            print(json.dumps(describe_entry(entry)))
    else:
        print_table(map(describe_entry, entries))
    return 0


def describe_entry(entry: Entry) -> dict[str, Any]:
    """Return what there is to say about one event, as plain values."""
    return {
        "event": entry.event,
        "class": f"%{entry.event_class}",
        "severity": entry.severity,
        "arguments": list(entry.arguments),
        "attributes": list(entry.attribute_keys),
        "withheld": {name: name_rule(entry.event, name) for name in entry.withheld},
        "noise": entry.noise,
        "profiles": list(profiles_of(entry.event)),
        "since": ".".join(map(str, entry.since)),
        "until": ".".join(map(str, entry.until)) if entry.until else None,
    }


def print_table(rows: Iterable[dict[str, Any]]) -> None:
    """Print rows in columns; on a terminal the last column is cut at its edge."""
    cells = [
        (
            row["event"],
            row["class"],
            ",".join(name for name in row["profiles"] if name != "everything") or "-",
            " ".join(row["attributes"]) or "-",
            " ".join(row["withheld"]) or "-",
        )
        for row in rows
    ]
    widths = [max(len(line[index]) for line in [_COLUMNS, *cells]) for index in range(4)]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in [_COLUMNS, *cells]:
        text = "  ".join(cell.ljust(size) for cell, size in zip(line, [*widths, 0], strict=True))
        print(text.rstrip()[:width])

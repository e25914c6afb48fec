"""What was measured, as tables for people and as JSON for programs."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from nogi_otel.version import __version__

if TYPE_CHECKING:
    from benchmarks.case import Case, Measured


@dataclass(frozen=True)
class Table:
    """One table; its columns are what its cases measure."""

    title: str
    note: str


TABLES = {
    "event": Table(
        "An audit event, in the thread that raises it",
        'sys.audit("my-event", "foo", "bar", 123): CPU time of that thread.',
    ),
    "shipping": Table(
        "An audit event of a burst, until it has left the process",
        "Bursts under spans of 64 events, to a receiver on loopback in another process. "
        "nogi publishes on ZeroMQ with no subscriber: it formats and ships nothing more.",
    ),
    "closed_logging": Table(
        "logging.warning, with the gate closed again", "One record, formatted into memory."
    ),
    "closed_deepcopy": Table(
        "copy.deepcopy, with the gate closed again", "A dict of lists, 30 objects."
    ),
    "span_end": Table(
        "The end of a span", "With the audit events that were noted on it, each of three arguments."
    ),
    "refinement": Table(
        "Redaction and decoding of one event", "On the drain: CPU time of that thread."
    ),
    "shop": Table(
        "examples/shop under load",
        "Closed and open in turns, in one process; every event selected, 1,000 a second taken, "
        "no budget. Load, receiver and shop share the machine.",
    ),
    "signal": Table(
        "From kill -USR1 to the first record at a receiver",
        "A process that raises an event each millisecond.",
    ),
}


def describe_machine() -> dict[str, str]:
    """Return what the figures were measured on."""
    return {
        "machine": f"{platform.system()} {platform.machine()}",
        "processors": f"{_count_cores()} x {_name_processor()}",
        "python": f"{platform.python_implementation()} {platform.python_version()} "
        f"({platform.python_compiler()})",
        "nogi_otel": __version__,
    }


def _count_cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _name_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown processor"


@dataclass(frozen=True)
class Row:
    """One case's outcome: its medians over all rounds, or why there are none."""

    title: str
    values: Measured
    spread: Measured
    """(largest - smallest) / median, of each column."""
    ratios: Measured
    """To the first row of the table."""
    missing: str = ""


def build_tables(
    cases: dict[str, Case], rounds: dict[str, list[Measured]], missing: dict[str, str]
) -> dict[str, list[Row]]:
    """Return the rows of each table that has any."""
    tables: dict[str, list[Row]] = {}
    first: dict[str, Measured] = {}
    for name, case in cases.items():
        taken = rounds.get(name, [])
        columns = list(taken[0]) if taken else []
        values = {column: median(one[column] for one in taken) for column in columns}
        spread = {
            column: (max(one[column] for one in taken) - min(one[column] for one in taken))
            / values[column]
            for column in columns
            if values[column]
        }
        base = first.setdefault(case.table, values)
        ratios = {column: values[column] / base[column] for column in columns if base.get(column)}
        row = Row(case.title, values, spread, ratios, missing.get(name, ""))
        tables.setdefault(case.table, []).append(row)
    return tables


def render_markdown(tables: dict[str, list[Row]], machine: dict[str, str], rounds: int) -> str:
    """Return the tables as Markdown, which a terminal shows as well."""
    lines = [f"- {key}: {value}" for key, value in machine.items()]
    lines.append(f"- medians of {rounds} rounds, interleaved, each case in a process of its own")
    for key, rows in tables.items():
        table = TABLES[key]
        columns = list(dict.fromkeys(column for row in rows for column in row.values))
        head = ["", *(cell for column in columns for cell in (column, "ratio", "spread"))]
        body = [_render_row(row, columns) for row in rows]
        lines += ["", f"## {table.title}", "", table.note, "", *_align([head, *body])]
    return "\n".join(lines) + "\n"


def _render_row(row: Row, columns: list[str]) -> list[str]:
    if row.missing:
        return [row.title, row.missing, *([""] * (3 * len(columns) - 1))]
    cells = [row.title]
    for column in columns:
        value = row.values.get(column)
        ratio, spread = row.ratios.get(column), row.spread.get(column)
        cells += [
            "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}",
            "" if ratio is None else f"{ratio:.2f}x",
            "" if spread is None else f"{spread:.0%}",
        ]
    return cells


def _align(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(cells)} |")
        if number == 0:
            rule = [
                "-" * width if index == 0 else "-" * (width - 1) + ":"
                for index, width in enumerate(widths)
            ]
            lines.append(f"| {' | '.join(rule)} |")
    return lines


def build_json(
    tables: dict[str, list[Row]], machine: dict[str, str], rounds: int
) -> dict[str, Any]:
    """Return the same as plain values."""
    return {
        "machine": machine,
        "rounds": rounds,
        "argv": sys.argv[1:],
        "tables": {
            key: {
                "title": TABLES[key].title,
                "note": TABLES[key].note,
                "rows": [
                    {
                        "title": row.title,
                        "values": row.values,
                        "ratios": row.ratios,
                        "spread": row.spread,
                        **({"missing": row.missing} if row.missing else {}),
                    }
                    for row in rows
                ],
            }
            for key, rows in tables.items()
        },
    }

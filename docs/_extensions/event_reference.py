"""The event reference, made of the catalogue, the profiles and the redaction rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from nogi_otel.catalogue import CATALOGUE, PROFILES
from nogi_otel.cli.events import describe_entry
from nogi_otel.redaction.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class AuditEvents(SphinxDirective):
    """``{audit-events} CLASS``: a table of the events of one class."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        entries = [
            describe_entry(entry)
            for _, entry in sorted(CATALOGUE.items())
            if entry.event_class == self.arguments[0]
        ]
        if not entries:
            raise self.error(f"no event has the class {self.arguments[0]}")
        header = ("event", "arguments", "attributes", "withheld", "profiles")
        rows = [
            (
                [row["event"] + (" (WARN)" if row["severity"] == "WARN" else "")],
                row["arguments"],
                row["attributes"],
                [f"{name}: {rule}" for name, rule in row["withheld"].items()],
                [name for name in row["profiles"] if name != "everything"]
                or (["noise"] if row["noise"] else []),
            )
            for row in entries
        ]
        return [build_table(header, rows)]


class Profiles(SphinxDirective):
    """``{profiles}``: what each profile is for and what it selects."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = [
            (
                [profile.name],
                [profile.summary],
                [*profile.include, *(f"-{item}" for item in profile.exclude)],
                [f"{event}: {text}" for event, text in profile.conditions.items()],
            )
            for profile in PROFILES.values()
        ]
        return [build_table(("profile", "for", "selects", "conditions"), rows)]


class RedactionRules(SphinxDirective):
    """``{redaction-rules}``: the names of all rules and what each takes."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = [([name], [text]) for name, text in RULES.items()]
        return [build_table(("rule", "takes"), rows)]


def build_table(header: Sequence[str], rows: Iterable[Sequence[list[str]]]) -> nodes.table:
    """Return a table whose cells are lists of words, one a line."""
    table = nodes.table()
    group = nodes.tgroup(cols=len(header))
    table += group
    group += [nodes.colspec(colwidth=1) for _ in header]
    head = nodes.thead()
    head += build_row([[name] for name in header])
    body = nodes.tbody()
    body += [build_row(row) for row in rows]
    group += [head, body]
    return table


def build_row(cells: Iterable[list[str]]) -> nodes.row:
    """Return one row."""
    row = nodes.row()
    for words in cells:
        entry = nodes.entry()
        entry += [nodes.paragraph("", "", nodes.Text(word)) for word in words]
        row += entry
    return row


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.add_directive("audit-events", AuditEvents)
    app.add_directive("profiles", Profiles)
    app.add_directive("redaction-rules", RedactionRules)
    return {"parallel_read_safe": True}

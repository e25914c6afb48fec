"""A trace as text: its spans nested under their parents, with what happened in each, by time.

    0.0 ms  POST /orders  24.1 ms
    0.4 ms  ├ • open prices.json
    1.2 ms  ├── GET  3.4 ms
    1.6 ms  │   ├ • socket.connect 127.0.0.1:8000
    2.0 ms  │   └── GET /stock/<item>  1.1 ms
   23.9 ms  └ • shop.order.approved 3, 9.0

Everything was chosen by the traced program, so nothing of it is printed unescaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from nogi_otel.cli.render import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nogi_otel.cli.render import Style
    from nogi_otel.cli.spans import Span, SpanEvent
    from nogi_otel.recording.event import Event

EXCEPTION: Final = "exception"
"""The span event of an exception (OpenTelemetry semantic conventions, "Exceptions on spans")."""

_NS_A_MS: Final = 1_000_000
_DIM: Final = "2"
_BOLD: Final = "1"
_RED: Final = "31"


class _Leaf(NamedTuple):
    """Something that happened inside a span."""

    timestamp_ns: int
    mark: str
    text: str
    colour: str


def render_tree(spans: Sequence[Span], events: Iterable[Event], style: Style) -> list[str]:
    """Give the lines of one trace: its spans, its audit events and the exceptions in it.

    Times are offsets from its first span. An event whose span has not arrived stands at the end.
    """
    # A sender that tries again may send a span twice.
    known = {span.span_id: span for span in spans}
    children: dict[str, list[Span]] = {}
    for span in known.values():
        parent = span.parent_id if span.parent_id in known else ""
        children.setdefault("" if parent == span.span_id else parent, []).append(span)
    leaves: dict[str, list[_Leaf]] = {}
    for event in events:
        leaf = _Leaf(event.timestamp_ns, "•", describe(event), _BOLD)
        leaves.setdefault(event.span_id if event.span_id in known else "", []).append(leaf)
    for span in known.values():
        leaves.setdefault(span.span_id, []).extend(_list_exceptions(span.events))
    origin_ns = min((span.start_ns for span in spans), default=0)
    drawing = _Drawing(children, leaves, origin_ns, style)
    roots = sorted(children.get("", ()), key=lambda span: span.start_ns)
    lines = [line for root in roots for line in drawing.draw(root)]
    strays = sorted(leaves.get("", ()))
    if strays:
        lines.append("            on a span that is not here, such as the caller's:")
        lines += [drawing.draw_leaf(leaf, "") for leaf in strays]
    return lines


def describe(event: Event) -> str:
    """Give what an audit event did, in one line: its body, or its name and arguments."""
    text = event.body or f"{event.name} {event.arguments_text}".rstrip()
    return escape(text)


class _Drawing(NamedTuple):
    """The parts of a trace, ready to be drawn from any span down."""

    children: dict[str, list[Span]]
    leaves: dict[str, list[_Leaf]]
    origin_ns: int
    style: Style

    def draw(self, root: Span) -> Iterator[str]:
        pending: list[tuple[Span | _Leaf, str, str]] = [(root, "", "")]
        while pending:
            item, branch, indent = pending.pop()
            if isinstance(item, _Leaf):
                yield self.draw_leaf(item, branch)
            else:
                yield self._draw_span(item, branch)
                pending += reversed(list(self._branch_off(item, indent)))

    def _branch_off(self, span: Span, indent: str) -> Iterator[tuple[Span | _Leaf, str, str]]:
        """Give what stands under a span, by time: what it is, its branch, and its own indent."""
        inside: list[tuple[int, Span | _Leaf]] = [
            (child.start_ns, child) for child in self.children.get(span.span_id, ())
        ]
        inside += [(leaf.timestamp_ns, leaf) for leaf in self.leaves.get(span.span_id, ())]
        inside.sort(key=lambda item: item[0])
        for index, (_, item) in enumerate(inside):
            corner, below = ("└", "    ") if index == len(inside) - 1 else ("├", "│   ")
            stem = " " if isinstance(item, _Leaf) else "── "
            yield item, f"{indent}{corner}{stem}", indent + below

    def _draw_span(self, span: Span, branch: str) -> str:
        duration = f"{(span.end_ns - span.start_ns) / _NS_A_MS:.1f} ms"
        return self._line(span.start_ns, branch, escape(span.name), "", duration)

    def draw_leaf(self, leaf: _Leaf, branch: str) -> str:
        return self._line(leaf.timestamp_ns, f"{branch}{leaf.mark} ", leaf.text, leaf.colour)

    def _line(
        self, timestamp_ns: int, branch: str, text: str, colour: str, duration: str = ""
    ) -> str:
        offset = f"{(timestamp_ns - self.origin_ns) / _NS_A_MS:7.1f} ms  "
        ending = f"  {duration}" if duration else ""
        if self.style.columns is not None:
            room = max(self.style.columns - len(offset) - len(branch) - len(ending), 20)
            text = text if len(text) <= room else f"{text[: room - 1]}…"
        if self.style.colour:
            offset, ending = _paint(offset, _DIM), _paint(ending, _DIM)
            text = _paint(text, colour)
        return f"{offset}{branch}{text}{ending}"


def _list_exceptions(events: Iterable[SpanEvent]) -> Iterator[_Leaf]:
    for event in events:
        if event.name == EXCEPTION:
            kind = event.attributes.get("exception.type", "")
            message = event.attributes.get("exception.message", "")
            yield _Leaf(event.timestamp_ns, "!", escape(f"{EXCEPTION} {kind}: {message}"), _RED)


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if text and code else text

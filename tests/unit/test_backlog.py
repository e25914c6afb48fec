"""The bounded queue between receiving, reading and printing."""

from __future__ import annotations

import threading

from nogi_otel.cli.backlog import Backlog


def test_items_come_out_in_order_and_within_a_size() -> None:
    """A reader takes as many as fit, one at least, oldest first."""
    backlog: Backlog[str] = Backlog(100)
    for item in ("a", "b", "c"):
        assert backlog.put(item, 30)
    assert backlog.take(60) == ["a", "b"]
    assert backlog.put("d", 70)
    assert backlog.take(1) == ["c"]
    assert backlog.take(1) == ["d"]


def test_what_does_not_fit_is_refused() -> None:
    """The size is a bound; when something is taken there is room again."""
    backlog: Backlog[str] = Backlog(100)
    assert backlog.put("a", 60)
    assert not backlog.put("b", 41)
    assert backlog.put("c", 40)
    assert backlog.take(60) == ["a"]
    assert backlog.put("d", 60)
    assert not backlog.put("e", 1)


def test_one_alone_always_fits() -> None:
    """An item larger than the bound is not lost when nothing else waits."""
    backlog: Backlog[str] = Backlog(10)
    assert backlog.put("large", 1000)
    assert not backlog.put("small", 1)
    assert backlog.take(1) == ["large"]
    assert backlog.put("small", 1)


def test_a_closed_backlog_gives_what_it_has_and_then_nothing() -> None:
    """Closing refuses new items and loses none."""
    backlog: Backlog[str] = Backlog(10)
    backlog.put("a", 1)
    backlog.close()
    assert not backlog.put("b", 1)
    assert backlog.take(1) == ["a"]
    assert backlog.take(1) == []


def test_what_is_discarded_is_given_back() -> None:
    """Whoever gives up learns what nobody has taken."""
    backlog: Backlog[str] = Backlog(10)
    backlog.put("a", 1)
    backlog.put("b", 1)
    assert backlog.discard() == ["a", "b"]
    assert backlog.discard() == []
    assert backlog.take(1) == []


def test_a_waiting_reader_wakes_for_an_item_and_for_the_end() -> None:
    """``take`` waits, and neither an item nor the end is missed."""
    backlog: Backlog[str] = Backlog(10)
    taken: list[list[str]] = []

    def read() -> None:
        while items := backlog.take(1):
            taken.append(items)

    reader = threading.Thread(target=read)
    reader.start()
    backlog.put("a", 1)
    backlog.put("b", 1)
    backlog.close()
    reader.join(60)
    assert not reader.is_alive()
    assert taken == [["a"], ["b"]]

"""Any snapshot of any event is described, within the limits, and nothing is raised."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef, Value
from nogi_otel.catalogue import CATALOGUE, Description, describe
from nogi_otel.catalogue.decoders import DECODERS, GROUP_DECODERS, MAX_INTEGER
from nogi_otel.catalogue.plans import CUSTOM_ARGUMENT_PREFIX, MAX_CUSTOM_ARGUMENTS
from nogi_otel.catalogue.text import MAX_DISPLAY_CHARACTERS, MAX_TEXT_BYTES, clean_line, clean_text

# All code points, surrogates and NUL included; hosts, paths, flags and lengths that matter.
_ANY_TEXT = st.text(st.characters(), max_size=40)
_TEXTS = st.one_of(
    _ANY_TEXT,
    st.sampled_from(
        ["", "\0", "\0abstract", "::1", "127.0.0.1", "[REDACTED:x]", "http://[::1", "a:b://@:/#?"]
    ),
    st.builds(
        lambda text, times: (text or "x") * times, _ANY_TEXT, st.integers(min_value=0, max_value=99)
    ),
)
_BYTES = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda head, times: (head or b"\xff") * times,
        st.binary(max_size=8),
        st.integers(min_value=0, max_value=300),
    ),
)
_INTEGERS = st.one_of(
    st.integers(),
    st.integers(min_value=-3, max_value=70000),
    st.sampled_from([MAX_INTEGER, MAX_INTEGER + 1, -MAX_INTEGER - 1, -MAX_INTEGER - 2, 2**200]),
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    _INTEGERS,
    st.floats(),
    _TEXTS,
    _BYTES,
    st.builds(Opaque, _TEXTS),
    st.builds(Clipped, st.one_of(_TEXTS, _BYTES), _INTEGERS),
    st.builds(CodeRef, _TEXTS, _TEXTS, _INTEGERS),
    st.builds(SocketRef, _TEXTS, _INTEGERS, _INTEGERS, _INTEGERS),
)


def _nest(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    tuples = st.lists(values, max_size=6).map(tuple)
    dicts = st.dictionaries(_ANY_TEXT, values, max_size=4)
    return st.one_of(tuples, dicts, st.builds(Clipped, st.one_of(values, tuples, dicts), _INTEGERS))


VALUES: st.SearchStrategy[Value] = st.recursive(_LEAVES, _nest, max_leaves=12)
ARGUMENTS = st.lists(VALUES, max_size=12).map(tuple)
SOCKETS = st.builds(
    SocketRef,
    st.just("socket.socket"),
    st.one_of(st.integers(min_value=0, max_value=45), _INTEGERS),
    st.one_of(st.integers(min_value=0, max_value=6), _INTEGERS),
    st.one_of(st.integers(min_value=0, max_value=300), _INTEGERS),
)


def check_text(text: str) -> int:
    """Assert that a text may leave the process, and return its size in bytes."""
    encoded = text.encode()
    assert len(encoded) <= MAX_TEXT_BYTES
    assert b"\0" not in encoded
    return len(encoded)


def check_description(description: Description) -> None:
    """Assert that attributes and line keep their limits and types."""
    for value in description.attributes.values():
        if isinstance(value, str):
            check_text(value)
        elif isinstance(value, tuple):
            assert len({type(item) for item in value}) <= 1
            sizes = [check_text(item) for item in value if isinstance(item, str)]
            assert sum(sizes) <= MAX_TEXT_BYTES
            assert len(value) <= 65
        elif type(value) is int:
            assert -MAX_INTEGER - 1 <= value <= MAX_INTEGER
        else:
            assert type(value) in (bool, float)
    assert len(description.display) <= MAX_DISPLAY_CHARACTERS
    assert description.display.isprintable()


@given(event=st.sampled_from(sorted(CATALOGUE)), arguments=ARGUMENTS)
def test_any_arguments_are_described(event: str, arguments: tuple[Value, ...]) -> None:
    """An entry takes any number of arguments of any type, and gives no key it did not promise."""
    entry = CATALOGUE[event]
    description = describe(event, arguments)
    check_description(description)
    assert description.attributes.keys() <= set(entry.attribute_keys)
    assert description.display.startswith(event)
    assert description.severity == entry.severity


@given(
    event=st.sampled_from(["socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"]),
    socket=SOCKETS,
    address=VALUES,
)
def test_any_address_is_described(event: str, socket: SocketRef, address: Value) -> None:
    """A socket of any family takes any address."""
    description = describe(event, (socket, address))
    check_description(description)
    known = {"tcp", "udp", "unix"}
    assert description.attributes.get("network.transport", "tcp") in known


@given(event=_TEXTS.filter(lambda text: text not in CATALOGUE), arguments=ARGUMENTS)
def test_any_custom_event_is_described(event: str, arguments: tuple[Value, ...]) -> None:
    """An event without an entry gives its scalars by position, whatever its name is."""
    description = describe(event, arguments)
    check_description(description)
    assert description.severity == "INFO"
    for key, value in description.attributes.items():
        index = int(key.removeprefix(CUSTOM_ARGUMENT_PREFIX))
        assert index < MAX_CUSTOM_ARGUMENTS
        original = arguments[index]
        assert type(value) is type(original) or isinstance(original, Clipped)


@given(decoder=st.sampled_from(sorted(DECODERS)), value=VALUES)
def test_any_value_is_decoded(decoder: str, value: Value) -> None:
    """A decoder gives one type only, or nothing."""
    result = DECODERS[decoder](value)
    assert result is None or type(result) in (str, bool, int, float, tuple)


@given(decoder=st.sampled_from(sorted(GROUP_DECODERS)), value=VALUES)
def test_any_value_is_decoded_in_groups(decoder: str, value: Value) -> None:
    """A group decoder gives as many values as its groups have keys."""
    sizes = {
        len(attribute.keys)
        for entry in CATALOGUE.values()
        for attribute in entry.attributes
        if getattr(attribute, "decoder", "") == decoder
    }
    assert sizes == {len(GROUP_DECODERS[decoder](value))}


@given(text=st.text(st.characters(), max_size=2000), limit=st.integers(min_value=0, max_value=1024))
def test_clean_text_is_stable(text: str, limit: int) -> None:
    """A cleaned text stays as it is when it is cleaned again, and is a beginning of the text."""
    clean = clean_text(text, limit)
    assert len(clean.encode()) <= limit
    assert "\0" not in clean
    assert clean_text(clean, limit) == clean
    if len(clean) == len(text) and text.isascii() and "\0" not in text:
        assert clean == text


@given(text=st.text(st.characters(), max_size=600))
def test_clean_line_is_stable(text: str) -> None:
    """A cleaned line is printable, bounded, and stays as it is when it is cleaned again."""
    line = clean_line(text)
    assert line.isprintable()
    assert len(line) == min(len(text), MAX_DISPLAY_CHARACTERS)
    assert clean_line(line) == line

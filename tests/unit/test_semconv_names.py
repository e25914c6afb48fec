"""The names and types of attributes, held against OpenTelemetry's semantic conventions."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.semconv import attributes as stable
from opentelemetry.semconv._incubating import attributes as incubating

from nogi_otel.capture.values import CodeRef, Opaque, SocketRef
from nogi_otel.catalogue import CATALOGUE, describe
from nogi_otel.catalogue.entry import Constant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nogi_otel.capture.values import Value
    from nogi_otel.catalogue import Entry

OWN_NAMESPACE = "python.audit."
OWN_NAME = re.compile(r"python\.audit(\.[a-z][a-z0-9_]*)+")
# What the records themselves add: no entry may take these names.
RESERVED = ("python.audit.event", "python.audit.args", "python.audit.arg", "python.audit.dropped")

# The types of the registry (``model/*/registry.yaml`` of the conventions 1.44, which the Python
# package leaves out), for each conventional name that the catalogue uses.
TYPES: dict[str, type] = {
    "code.file.path": str,
    "code.function.name": str,
    "code.line.number": int,
    "cpython.gc.generation": int,
    "db.namespace": str,
    "db.system.name": str,
    "dns.question.name": str,
    "exception.type": str,
    "file.directory": str,
    "file.group.id": str,
    "file.group.name": str,
    "file.lock.mechanism": str,
    "file.lock.mode": str,
    "file.mode": str,
    "file.owner.id": str,
    "file.owner.name": str,
    "file.path": str,
    "file.size": int,
    "file.symbolic_link.target_path": str,
    "host.name": str,
    "http.request.method": str,
    "http.request.method_original": str,
    "network.local.address": str,
    "network.local.port": int,
    "network.peer.address": str,
    "network.peer.port": int,
    "network.protocol.name": str,
    "network.transport": str,
    "network.type": str,
    "process.args_count": int,
    "process.command_args": tuple,
    "process.command_line": str,
    "process.executable.path": str,
    "process.working_directory": str,
    "server.address": str,
    "server.port": int,
    "url.full": str,
    "url.scheme": str,
}
STABLE = {
    "code.file.path",
    "code.function.name",
    "code.line.number",
    "db.namespace",
    "db.system.name",
    "exception.type",
    "http.request.method",
    "http.request.method_original",
    "network.local.address",
    "network.local.port",
    "network.peer.address",
    "network.peer.port",
    "network.protocol.name",
    "network.transport",
    "network.type",
    "server.address",
    "server.port",
    "url.full",
    "url.scheme",
}
USED = {key for entry in CATALOGUE.values() for key in entry.attribute_keys}
CONVENTIONAL = {key for key in USED if not key.startswith(OWN_NAMESPACE)}


def collect_names(package: object) -> dict[str, bool]:
    """Return the attribute names that a package of constants has, and whether each is deprecated.

    The documentation of a constant is the text that follows it.
    """
    (folder,) = package.__path__  # type: ignore[attr-defined]
    names: dict[str, bool] = {}
    for path in sorted(Path(folder).glob("*_attributes.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, following in zip(body, [*body[1:], None], strict=True):
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.value, ast.Constant):
                continue
            text = ""
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                text = str(following.value.value)
            names[str(node.value.value)] = text.lstrip().startswith("Deprecated")
    return names


def collect_values(package: object, name: str) -> set[object]:
    """Return the well-known values of one enumeration of a package of constants."""
    for module in pkgutil.iter_modules(package.__path__):  # type: ignore[attr-defined]
        loaded = importlib.import_module(
            f"{package.__name__}.{module.name}"  # type: ignore[attr-defined]
        )
        found = getattr(loaded, name, None)
        if found is not None:
            assert issubclass(found, Enum)
            return {member.value for member in found}
    raise AssertionError(name)


def test_the_constants_are_found() -> None:
    """The package of constants is read as it is written."""
    names = collect_names(incubating)
    assert len(names) > 500
    assert names["db.system"] is True
    assert names["file.path"] is False
    assert collect_names(stable)["db.system.name"] is False


@pytest.mark.parametrize("key", sorted(CONVENTIONAL))
def test_conventional_name_exists(key: str) -> None:
    """A name outside our namespace is one of the conventions, and not a deprecated one."""
    names = {**collect_names(incubating), **collect_names(stable)}
    assert key in names
    assert not names[key]
    assert (key in collect_names(stable)) == (key in STABLE)


def test_every_conventional_name_has_a_type() -> None:
    """The table of types has exactly the names that are used."""
    assert TYPES.keys() == CONVENTIONAL


@pytest.mark.parametrize("key", sorted(USED - CONVENTIONAL))
def test_own_name(key: str) -> None:
    """A name of ours is lower-case, in our namespace, and none that a record adds itself."""
    assert OWN_NAME.fullmatch(key)
    assert key not in RESERVED
    assert not key.startswith(f"{RESERVED[2]}.")


def test_the_observed_process_keeps_its_names() -> None:
    """No entry takes the names that say which process and thread raised the event."""
    assert USED.isdisjoint({"process.pid", "thread.id", "thread.name"})


SAMPLES: tuple[Value, ...] = (
    "text",
    b"bytes",
    7,
    True,
    1.5,
    ("127.0.0.1", 80),
    ("a", b"b"),
    (1, 2),
    CodeRef("f", "/f.py", 3),
    Opaque("http.client.HTTPSConnection"),
    SocketRef("socket.socket", 2, 1, 0),
    None,
)


def build_samples(entry: Entry) -> Iterator[tuple[Value, ...]]:
    """Yield arguments for an event: the same value everywhere, with and without a socket first."""
    for sample in SAMPLES:
        for first in (sample, SocketRef("socket.socket", 2, 1, 0)):
            yield (first, *[sample] * max(len(entry.arguments) - 1, 0))


@pytest.mark.parametrize("event", sorted(CATALOGUE))
def test_attribute_types(event: str) -> None:
    """Whatever an argument is, an attribute has the type that the conventions give it."""
    made: dict[str, set[type]] = {}
    for arguments in build_samples(CATALOGUE[event]):
        for key, value in describe(event, arguments).attributes.items():
            made.setdefault(key, set()).add(type(value))
    for key, kinds in made.items():
        assert kinds == {TYPES[key]} if key in TYPES else len(kinds) == 1, (key, kinds)


def test_every_attribute_can_be_made() -> None:
    """No entry promises an attribute that no argument gives."""
    netlink = (SocketRef("s", 16, 3, 0), (0, 4))
    special: tuple[tuple[str, tuple[Value, ...]], ...] = (  # where the samples do not say enough
        ("gc.get_objects", (1,)),
        ("open", ("/x", None, 0)),
        ("socket.__new__", (None, 2, 1, 0)),
        ("socket.bind", netlink),
        ("sqlite3.enable_load_extension", (Opaque("c"), True)),
        ("urllib.Request", ("http://h:80/", None, {}, "PURGE")),
    )
    made = {key for event, one in special for key in describe(event, one).attributes}
    for event, entry in CATALOGUE.items():
        for arguments in build_samples(entry):
            made |= describe(event, arguments).attributes.keys()
    assert made == USED


@pytest.mark.parametrize(
    ("enumeration", "key"),
    [
        ("NetworkTransportValues", "network.transport"),
        ("NetworkTypeValues", "network.type"),
    ],
)
def test_network_values_are_well_known(enumeration: str, key: str) -> None:
    """Transports and IP versions have the values of the conventions."""
    sockets = [SocketRef("s", family, kind, 0) for family in (1, 2, 10) for kind in (1, 2)]
    addresses = (("127.0.0.1", 1), ("::1", 1, 0, 0), "/x")
    made = {
        describe("socket.connect", (one, address)).attributes.get(key)
        for one in sockets
        for address in addresses
    }
    assert made - {None} <= collect_values(stable, enumeration)
    assert len(made - {None}) > 1


def test_methods_are_well_known() -> None:
    """The methods that pass unchanged are those of the conventions."""
    known = collect_values(stable, "HttpRequestMethodValues")
    for method in known - {"_OTHER"}:
        assert isinstance(method, str)
        attributes = describe("urllib.Request", ("u", None, {}, method)).attributes
        assert attributes["http.request.method"] == method


def test_database_systems_are_well_known() -> None:
    """The system of a database has the value of the conventions."""
    known = collect_values(incubating, "DbSystemNameValues")
    constants = [
        attribute
        for entry in CATALOGUE.values()
        for attribute in entry.attributes
        if isinstance(attribute, Constant) and attribute.key == "db.system.name"
    ]
    assert constants
    assert {constant.value for constant in constants} <= known

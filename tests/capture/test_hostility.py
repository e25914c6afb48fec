"""Arguments that fight back: nothing of theirs runs, and what they cost is bounded."""

from __future__ import annotations

import contextlib
import pathlib
import sys
import threading
import tracemalloc
import types
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.capture.child import Bench

called: list[str] = []
armed = False
"""Whether a call into a hostile object is one too many: building one may need a few."""


class HostileError(Exception):
    """What every method of a hostile object raises."""


def _trap(name: str, genuine: Any = None) -> Any:
    """Return a method that records that it was called, and raises."""

    def trap(*arguments: Any, **keywords: Any) -> Any:
        if not armed:
            return genuine(*arguments, **keywords)
        called.append(name)
        raise HostileError(name)

    return trap


def _miss(*_: object) -> Any:
    """Stand for a method that the base has not got."""
    return NotImplemented


def _miss_attribute(_: object, name: str) -> NoReturn:
    """Stand for ``__getattr__``."""
    raise AttributeError(name)


_METHODS = [
    "abs",
    "add",
    "and",
    "bool",
    "bytes",
    "call",
    "complex",
    "contains",
    "copy",
    "deepcopy",
    "delattr",
    "delitem",
    "dir",
    "divmod",
    "enter",
    "eq",
    "exit",
    "float",
    "floor",
    "floordiv",
    "format",
    "fspath",
    "ge",
    "get",
    "getattr",
    "getattribute",
    "getitem",
    "getnewargs",
    "getstate",
    "gt",
    "hash",
    "iadd",
    "index",
    "instancecheck",
    "int",
    "invert",
    "iter",
    "le",
    "len",
    "length_hint",
    "lshift",
    "lt",
    "mod",
    "mul",
    "ne",
    "neg",
    "next",
    "or",
    "pos",
    "pow",
    "radd",
    "rand",
    "reduce",
    "reduce_ex",
    "repr",
    "reversed",
    "ror",
    "round",
    "rshift",
    "set",
    "setattr",
    "setitem",
    "sizeof",
    "str",
    "sub",
    "subclasscheck",
    "subclasshook",
    "truediv",
    "trunc",
    "xor",
]
_PLAIN_METHODS = [
    "items",
    "keys",
    "values",
    "get",
    "copy",
    "encode",
    "decode",
    "split",
    "startswith",
    "endswith",
    "join",
    "count",
]


def _arm_class(base: type) -> dict[str, Any]:
    """Return a class body in which every method of ``base`` and of the protocols is a trap."""
    names = [f"__{name}__" for name in _METHODS] + _PLAIN_METHODS
    body: dict[str, Any] = {}
    for name in names:
        body[name] = _trap(name, getattr(base, name, _miss))
    body["__getattr__"] = _trap("__getattr__", _miss_attribute)
    body["__class__"] = property(_trap("__class__", type))
    return body


class HostileMeta(type):
    """A metaclass that answers nothing about its classes."""

    for _name in ["hash", "eq", "ne", "call", "getattribute", "instancecheck", "subclasscheck"]:
        locals()[f"__{_name}__"] = _trap(f"type {_name}", getattr(type, f"__{_name}__"))
    for _name in ["repr", "str", "len", "iter", "bool", "contains", "getitem"]:
        locals()[f"__{_name}__"] = _trap(f"type {_name}")
    for _name in ["name", "mro", "flags", "bases", "dict", "text_signature"]:
        locals()[f"__{_name}__"] = property(_trap(f"type {_name}", lambda _: "hostile"))


class HostileText(str):
    """Text whose every operation is a trap."""

    __slots__ = ()
    locals().update(_arm_class(str))


def build_hostile() -> Iterator[tuple[str, Any]]:
    """Yield a hostile object of every base that CPython lets one derive from."""
    bases: tuple[tuple[type, tuple[Any, ...]], ...] = (
        (object, ()),
        (str, ("text",)),
        (str, ("t" * 5000,)),
        (int, (5,)),
        (int, (1 << 100,)),
        (float, (1.5,)),
        (bytes, (b"bytes",)),
        (bytearray, (b"array",)),
        (tuple, ((1, 2),)),
        (list, ([1, 2],)),
        (dict, ({"a": 1},)),
        (set, ({1},)),
        (frozenset, ({1},)),
        (complex, (1j,)),
        (Exception, ("no",)),
        (type, ("T", (), {})),
        (types.ModuleType, ("module",)),
    )
    for base, arguments in bases:
        for meta in (type, HostileMeta) if base is not type else (type,):
            kind = meta(f"Hostile_{base.__name__}", (base,), _arm_class(base))
            yield f"{base.__name__} of {meta.__name__}", base.__new__(kind, *arguments)
    yield "hostile class", HostileMeta("Class", (), {})
    yield "bound builtin of a hostile class", dict.get.__get__(HostileMeta("D", (dict,), {})())
    yield "type named by hostile text", type(HostileText("Name"), (), {})()
    yield "type without module", _build_without_module()
    yield "file name of hostile text", compile("1", HostileText("file.py"), "exec")
    code = _do_nothing.__code__
    yield "code of hostile file name", code.replace(co_filename=HostileText("file.py"))
    yield "code of hostile name", code.replace(co_name=HostileText("name"))
    if sys.version_info >= (3, 11):
        yield "code of hostile qualname", code.replace(co_qualname=HostileText("qualname"))
    function = types.FunctionType(code, {})
    function.__qualname__ = HostileText("qualname")
    yield "function of hostile qualname", function
    yield "function", _do_nothing
    hostile: Any = type("Callable", (), _arm_class(object))()
    yield "method of a hostile callable", types.MethodType(hostile, hostile)
    yield "path of hostile parts", pathlib.PurePosixPath(HostileText("/a"), HostileText("b"))
    yield "concrete path of hostile parts", pathlib.Path(HostileText("/a"), HostileText("b"))
    yield "slots", type("Slotted", (), {"__slots__": ("a",), "__getattr__": _trap("getattr")})()


def _build_without_module() -> object:
    namespace: dict[str, Any] = {}
    exec("X = type('X', (), {})", namespace)  # noqa: S102 - a namespace without __name__
    return namespace["X"]()


def _do_nothing() -> None:
    return None


def is_plain(value: Any) -> bool:
    """Return whether a value of a snapshot is made of nothing but plain values."""
    from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef

    kind = type(value)
    if value is None or kind in {bool, int, float, str, bytes}:
        return True
    if kind in {tuple, Clipped, CodeRef, Opaque, SocketRef}:
        return all(is_plain(one) for one in value)
    return kind is dict and all(type(k) is str and is_plain(v) for k, v in value.items())


def build_nests(hostile: Any) -> Iterator[tuple[Any, ...]]:
    """Yield arguments with the hostile object in every place; as a key last, which hashes it."""
    yield (hostile,)
    yield ("text", 1, hostile)
    yield ((hostile,), [hostile], {"key": hostile})
    yield ([[[hostile]]], {"a": {"b": [hostile, (hostile,)]}})
    yield (hostile,) * 40
    with contextlib.suppress(TypeError):  # what cannot be hashed is no key
        yield ({hostile: hostile}, {"key": {hostile: 1}})


def test_hostile_arguments_are_never_called(bench: Bench) -> None:
    """No method of any hostile object runs, wherever it stands, and the event is captured."""
    global armed
    bench.make()
    gate = bench.open()
    for name, hostile in build_hostile():
        for nest in build_nests(hostile):
            armed = True
            try:
                sys.audit(bench.event, *nest)
            except Exception as error:
                armed = False
                raise AssertionError(name) from error
            armed = False
            assert called == [], (name, called)
            captured = bench.take_arguments()
            assert len(captured) == 1, (name, gate.failed.value)
            assert is_plain(captured[0]), (name, captured)
    assert gate.failed.value == 0


def test_the_name_of_a_type_is_told(bench: Bench) -> None:
    """What is not looked into is known by the name of its type."""
    bench.make()
    bench.open()
    sys.audit(bench.event, object(), {1}, memoryview(b""), Exception("secret"), HostileError())
    told = [getattr(one, "type_name", one) for one in bench.take_arguments()[0]]
    assert told == ["object", "set", "memoryview", "Exception", "case.HostileError"], told


def test_subclasses_of_text_and_int_keep_their_value(bench: Bench) -> None:
    """A str or int subclass, such as an enum member, arrives as the plain value it holds."""
    import enum

    class Colour(enum.IntEnum):
        RED = 3

    class Text(str):
        __slots__ = ()

    bench.make()
    bench.open()
    sys.audit(bench.event, Colour.RED, Text("text"), [Text("nested"), Colour.RED])
    (arguments,) = bench.take_arguments()
    assert arguments == (3, "text", ("nested", 3)), arguments
    assert is_plain(arguments)


def test_huge_arguments_cost_the_cap(bench: Bench) -> None:
    """Ten megabytes in any guise cost kilobytes to capture and to keep."""

    class Text(str):
        __slots__ = ()

    class Number(int):
        pass

    class Raw(bytes):
        pass

    size = 10_000_000
    text, raw, number = "x" * size, b"x" * size, 1 << (8 * size)
    named = type("n" * 1000, (), {"__module__": "m" * 1000})()
    code = _do_nothing.__code__
    huge: dict[str, Any] = {
        "str": text,
        "bytes": raw,
        "bytearray": bytearray(raw),
        "int": number,
        "str subclass": Text(text),
        "bytes subclass": Raw(raw),
        "int subclass": Number(number),
        "list of texts": [text] * 1000,
        "dict of texts": {f"{key}{text[:100_000]}": text for key in range(100)},
        "dict of bytes": {b"%d" % key + raw[:100_000]: raw for key in range(100)},
        "list": [0] * size,
        "tuple": (0,) * size,
        "set": set(range(100_000)),
        "name of a type": type(text, (), {})(),
        "name of a code object": code.replace(co_name=text),
        "file of a code object": code.replace(co_filename=text),
        "path": pathlib.PurePosixPath(text),
        "concrete path": pathlib.Path(text),
        "nest": [[[0] * 1000] * 1000] * 1000,
        "nest of opaque objects": [[[named] * 1000] * 1000] * 1000,
    }
    bench.make()
    bench.open()
    sys.audit(bench.event, list(huge.values()))  # what is made once is made
    bench.take()
    tracemalloc.start()
    for name, value in huge.items():
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        sys.audit(bench.event, value)
        after, peak = tracemalloc.get_traced_memory()
        assert bench.core.pending() == 1
        assert peak - before < 64 << 10, f"{name}: {peak - before} bytes at the peak"
        assert after - before < 32 << 10, f"{name}: {after - before} bytes kept"
        bench.take()
    tracemalloc.stop()


def test_the_number_of_arguments_is_capped(bench: Bench) -> None:
    """An event with 100,000 arguments keeps the first of them and their number."""
    bench.make()
    bench.open()
    sys.audit(bench.event, *range(100_000))
    (arguments,) = bench.take_arguments()
    assert len(arguments) <= 33
    assert arguments[:3] == (0, 1, 2)
    assert arguments[-1].length == 100_000


def test_containers_that_contain_themselves_end(bench: Bench) -> None:
    """A list or dict that contains itself is cut at the depth."""
    bench.make()
    bench.open()
    looped: list[Any] = []
    looped.append(looped)
    circular: dict[str, Any] = {}
    circular["me"] = [circular]
    deep: Any = 0
    for _ in range(100_000):
        deep = (deep,)
    sys.audit(bench.event, looped, circular, deep)
    (arguments,) = bench.take_arguments()
    assert is_plain(arguments)
    assert len(repr(arguments)) < 1000
    while deep:  # taken apart step by step: its own deallocation is not what is tested
        (deep,) = deep


def test_containers_that_change_meanwhile_are_captured(bench: Bench) -> None:
    """Threads that change a dict and a list while they are captured break no event."""
    from nogi_otel.capture.values import Clipped

    bench.make()
    gate = bench.open()
    table: dict[Any, Any] = dict.fromkeys(range(60), "x")
    row: list[Any] = list(range(60))
    done = threading.Event()

    def change() -> None:
        number = 0
        while not done.is_set():
            number += 1
            table[("new", number)] = 1
            table.pop(("new", number - 10), None)
            row.append(number)
            if len(row) > 100:
                del row[50:]

    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=change) for _ in range(3)]
    for thread in threads:
        thread.start()
    rounds = 3000
    captured: list[tuple[Any, ...]] = []
    try:
        for _ in range(rounds):
            sys.audit(bench.event, table, row)
            captured += bench.take_arguments()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert len(captured) == rounds
    assert gate.failed.value == 0
    for value in (one for arguments in captured for one in arguments):
        if type(value) is Clipped:
            assert value.length >= len(tuple(value.head)), value  # type: ignore[arg-type]


def test_a_container_changed_by_a_finalizer_is_captured(bench: Bench) -> None:
    """A garbage collection inside the hook whose finalizer changes the argument breaks no event."""
    import gc

    bench.make()
    bench.open()
    table = {number: number for number in range(60)}
    row = list(range(60))

    class Garbage:
        def __init__(self) -> None:
            self.myself = self

        def __del__(self) -> None:
            key = len(table) + 1000
            table[key] = key
            row.append(key)
            if len(table) > 64:
                for one in list(islice(table, 60, None)):
                    del table[one]
                del row[60:]

    rounds = 3000
    for number in range(rounds):
        gc.set_threshold(2 + number % 60, 1, 1)  # so that it runs at every place of the hook
        Garbage()
        sys.audit(bench.event, table, row)
    gc.set_threshold(700, 10, 10)
    assert len(bench.take()) == rounds


def test_a_hostile_thread_is_not_called(bench: Bench) -> None:
    """A Thread subclass that watches its attributes is not asked for its name."""

    class Watched(threading.Thread):
        watching = False

        def __getattribute__(self, name: str) -> Any:
            if Watched.watching:
                called.append(name)
            return object.__getattribute__(self, name)

        def run(self) -> None:
            Watched.watching = True
            sys.audit(bench.event)
            Watched.watching = False

    bench.make()
    bench.open()
    thread = Watched(name="watched")
    thread.start()
    thread.join()
    assert called == [], called
    assert [raw.thread_name for raw in bench.take()] == ["watched"]


def test_another_hook_that_raises_does_not_break_ours(bench: Bench) -> None:
    """A later hook of the application may veto an event: it gets its exception, we our record."""
    bench.make()
    bench.open()

    def veto(event: str, _: tuple[Any, ...]) -> None:
        if event == bench.event:
            raise HostileError(event)

    sys.addaudithook(veto)
    vetoed = 0
    for _ in range(10):
        try:
            sys.audit(bench.event)
        except HostileError:
            vetoed += 1
    assert vetoed == 10
    assert len(bench.take()) == 10

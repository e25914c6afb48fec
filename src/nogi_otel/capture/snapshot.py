"""Copies of arguments that are safe to make inside an audit hook.

Invariants, whatever the application raises: no user code runs (no ``__repr__``, ``__str__``,
``__iter__``, ``__hash__``, ``__eq__``, property or metaclass of the application), no reference to
an object of the application is kept, and the cost is bounded by the caps below. Dispatch is by
exact type and ``is``: a dict of types would call the ``__hash__`` of a hostile metaclass. Texts
that stand in the slots of types and code objects may be instances of ``str`` subclasses, so they
are read through ``str``'s own slots.
"""

from __future__ import annotations

import sys
from itertools import islice
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture.values import Value

MAX_TEXT = 1024
"""Characters (or bytes) kept of one argument."""
MAX_NAME = 256
"""Characters kept of the name of a type, a module or a function."""
MAX_ARGUMENTS = 32
MAX_ELEMENTS = 64
"""Elements kept of one container."""
MAX_DEPTH = 3
MAX_NESTED_TEXT = 4096
"""Characters kept of all that the containers and objects of one event hold."""
MAX_NESTED_ELEMENTS = 256
"""Elements kept of all containers of one event."""
MAX_INT = 2**63 - 1
_MAX_PATH_PIECES = 32

# The slots of the types themselves, so that no metaclass can answer in their place.
_type_name: Callable[[type], str] = vars(type)["__name__"].__get__
_type_flags: Callable[[type], int] = vars(type)["__flags__"].__get__
_type_module: Callable[[type], object] = vars(type)["__module__"].__get__
_type_mro: Callable[[type], tuple[type, ...]] = vars(type)["__mro__"].__get__
_STR_SUBCLASS = 1 << 28  # Py_TPFLAGS_UNICODE_SUBCLASS, Include/object.h
_INT_SUBCLASS = 1 << 24  # Py_TPFLAGS_LONG_SUBCLASS
_HAS_QUALNAME = hasattr(CodeType, "co_qualname")  # PYVERSIONS: since 3.11
_get_module = sys.modules.get


class _Room:
    """What is left of one event's budget."""

    __slots__ = ("elements", "text")

    def __init__(self) -> None:
        self.text = MAX_NESTED_TEXT
        self.elements = MAX_NESTED_ELEMENTS

    def cut(self, text: Any, limit: int) -> Any:
        """Return what there is room for of a text, an exact ``str`` or ``bytes``."""
        allowed = min(self.text, limit)
        kept = text if len(text) <= allowed else text[:allowed]
        self.text -= len(kept)
        return kept


def copy_arguments(arguments: tuple[Any, ...]) -> tuple[Value, ...]:
    """Return a snapshot of the arguments of an audit event."""
    if type(arguments) is not tuple:
        # PySys_Audit with the format "O" hands a tuple subclass on as it is: one argument.
        arguments = (arguments,)
    elif len(arguments) > MAX_ARGUMENTS:
        head = arguments[:MAX_ARGUMENTS]
        return (*copy_arguments(head), Clipped((), len(arguments)))
    for value in arguments:
        kind = type(value)
        if kind is str:
            if len(value) > MAX_TEXT:
                break
        elif kind is int:
            if not -MAX_INT <= value <= MAX_INT:
                break
        elif value is not None and kind is not bool and kind is not float:
            break
    else:
        return arguments  # nothing in it can change or be large: it is its own snapshot
    room = _Room()
    return tuple([_copy_argument(value, room) for value in arguments])


def _copy_argument(value: Any, room: _Room) -> Value:
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str or kind is bytes:
        return value if len(value) <= MAX_TEXT else Clipped(value[:MAX_TEXT], len(value))
    if kind is int:
        return value if -MAX_INT <= value <= MAX_INT else Opaque("int")
    return _copy_other(value, kind, MAX_DEPTH, room)


def _copy_other(value: Any, kind: type, depth: int, room: _Room) -> Value:
    """Copy what is neither a scalar nor a text: containers, known types, or a type's name."""
    if kind is tuple or kind is list:
        length = len(value)
        # Slicing is one C call: no other thread can change a list half-way.
        elements = value[: min(MAX_ELEMENTS, room.elements)] if depth else ()
        room.elements -= len(elements)
        return _clip(tuple([_copy_nested(one, depth, room) for one in elements]), length)
    if kind is dict:
        length = len(value)
        items = _list_items(value, min(MAX_ELEMENTS, room.elements)) if depth else ()
        room.elements -= len(items)
        copy = {_copy_key(key, room): _copy_nested(one, depth, room) for key, one in items}
        return _clip(copy, length)
    if kind is CodeType:
        name = value.co_qualname if _HAS_QUALNAME else value.co_name
        path = room.cut(exact_text(value.co_filename, MAX_TEXT), MAX_TEXT)
        return CodeRef(room.cut(exact_text(name, MAX_NAME), MAX_NAME), path, value.co_firstlineno)
    if kind is FunctionType:
        return _refer(value.__qualname__, room)
    if kind is BuiltinFunctionType:
        # Its ``__qualname__`` would ask the type of its ``__self__`` (Objects/methodobject.c).
        return _refer(value.__name__, room)
    if kind is MethodType:
        function = value.__func__
        if type(function) is FunctionType:
            return _refer(function.__qualname__, room)
        return Opaque("method")
    flags = _type_flags(kind)
    if flags & _STR_SUBCLASS:
        length = str.__len__(value)
        text = room.cut(exact_text(value, MAX_TEXT), MAX_TEXT)
        return text if len(text) == length else Clipped(text, length)
    if flags & _INT_SUBCLASS:
        if int.__le__(value, MAX_INT) and int.__ge__(value, -MAX_INT):
            return int.__add__(value, 0)
        return Opaque("int")
    return _copy_known(value, kind) or Opaque(room.cut(name_type(kind), 2 * MAX_NAME))


def _clip(head: Any, length: int) -> Value:
    """Mark a container of which only the head was kept; another thread may have changed it."""
    return head if len(head) >= length else Clipped(head, length)


def _list_items(value: dict[Any, Any], limit: int) -> tuple[tuple[Any, Any], ...]:
    """Return up to ``limit`` items of a dict that others may be changing."""
    for _ in range(3):
        try:
            return tuple(islice(value.items(), limit))
        except RuntimeError as error:  # noqa: PERF203 - seldom met
            # Raised by the iteration itself in this frame: the dict has changed under it. One
            # that a signal handler of the application raised has a frame of its own.
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise
    return ()


def _copy_nested(value: Any, depth: int, room: _Room) -> Value:
    """Copy one element of a container."""
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return value if -MAX_INT <= value <= MAX_INT else Opaque("int")
    if kind is str or kind is bytes:
        length = len(value)
        kept = room.cut(value, MAX_TEXT)
        return kept if len(kept) == length else Clipped(kept, length)
    return _copy_other(value, kind, depth - 1, room)


def _copy_key(key: Any, room: _Room) -> str:
    """Return a dict's key as text: exact ``str`` and decoded ``bytes``, else its type's name."""
    kind = type(key)
    if kind is str:
        text: str = key
    elif kind is bytes:
        text = key[:MAX_TEXT].decode("utf-8", "replace")
    elif kind is int and -MAX_INT <= key <= MAX_INT:
        text = str(key)
    else:
        text = f"<{name_type(kind)}>"
    kept: str = room.cut(text, MAX_TEXT)
    return kept


def _refer(name: Any, room: _Room) -> CodeRef:
    """Name a function: its ``__qualname__`` is a C slot, unlike ``__code__``, which is audited."""
    return CodeRef(room.cut(exact_text(name, MAX_NAME), MAX_NAME), "", 0)


def exact_text(text: Any, limit: int) -> str:
    """Return the beginning of a text as an exact ``str``, asking no subclass; "" for no text."""
    if type(text) is str:
        return text if len(text) <= limit else text[:limit]
    if _type_flags(type(text)) & _STR_SUBCLASS:
        return str.__getitem__(text, slice(0, limit))
    return ""


def name_type(kind: type) -> str:
    """Return the name of a type, with its module where that is one."""
    name = exact_text(_type_name(kind), MAX_NAME)
    try:
        module = exact_text(_type_module(kind), MAX_NAME)
    except AttributeError:  # a type may have none: Objects/typeobject.c, type_module
        return name
    return f"{module}.{name}" if module and module != "builtins" else name


def _copy_known(value: Any, kind: type) -> Value:
    """Copy the plain fields of a few known types of the standard library; None for all others."""
    sockets = _get_module("_socket")
    if sockets is not None and has_base(kind, sockets.socket):
        base = vars(sockets.socket)
        return SocketRef(
            name_type(kind),
            base["family"].__get__(value),
            base["type"].__get__(value),
            base["proto"].__get__(value),
        )
    paths = _get_module("pathlib")
    if paths is not None and kind is paths.PosixPath:
        return _copy_path(value, vars(paths.PurePath))
    return None


def _copy_path(value: Any, slots: Any) -> Value:
    """Read a path from its slots: ``str(path)`` would run Python code on texts of anybody's."""
    raw = slots.get("_raw_paths")  # PYVERSIONS: since 3.12; before, _parts begins with the root
    member = raw or slots.get("_parts")
    try:
        pieces = member.__get__(value)
    except AttributeError:
        return None
    if type(pieces) is not list:
        return None
    path = ""
    for piece in pieces[:_MAX_PATH_PIECES]:
        text = exact_text(piece, MAX_TEXT)
        if not path or (raw and text.startswith("/")):
            path = text
        else:
            path = f"{path}{'' if path.endswith('/') else '/'}{text}"[:MAX_TEXT]
    root = "//" if path.startswith("//") and not path.startswith("///") else path[:1]
    names = "/".join([name for name in path.split("/") if name and name != "."])
    return (root if root in {"/", "//"} else "") + names or "."


def has_base(kind: type, base: type) -> bool:
    """Return whether ``base`` is among the bases of ``kind``, asking no metaclass."""
    return any(one is base for one in _type_mro(kind))

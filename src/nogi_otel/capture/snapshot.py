"""Copies of arguments that are safe to make inside an audit hook.

Invariants, whatever the application raises: no user code runs (no ``__repr__``, ``__str__``,
``__iter__``, ``__hash__``, ``__eq__``, property or metaclass of the application), no reference to
an object of the application is kept, and the cost is bounded by the caps below. Dispatch is by
exact type and ``is``: a dict of types would call the ``__hash__`` of a hostile metaclass.
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
MAX_ARGUMENTS = 32
MAX_ELEMENTS = 64
"""Elements kept of one container."""
MAX_DEPTH = 3
MAX_NESTED_TEXT = 4096
"""Characters kept of all that one argument contains."""
MAX_INT = 2**63 - 1

# The slots of ``type`` itself, so that a metaclass cannot answer in their place.
_type_name: Callable[[type], str] = vars(type)["__name__"].__get__
_type_flags: Callable[[type], int] = vars(type)["__flags__"].__get__
_type_module: Callable[[type], object] = vars(type)["__module__"].__get__
_STR_SUBCLASS = 1 << 28  # Py_TPFLAGS_UNICODE_SUBCLASS, Include/object.h
_INT_SUBCLASS = 1 << 24  # Py_TPFLAGS_LONG_SUBCLASS
_HEAD = slice(0, MAX_TEXT)
_get_module = sys.modules.get


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
    return tuple([_copy_argument(value) for value in arguments])


def _copy_argument(value: Any) -> Value:
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str or kind is bytes:
        return value if len(value) <= MAX_TEXT else Clipped(value[_HEAD], len(value))
    if kind is int:
        return value if -MAX_INT <= value <= MAX_INT else Opaque("int")
    return _copy_other(value, kind, MAX_DEPTH, [MAX_NESTED_TEXT])


def _copy_other(value: Any, kind: type, depth: int, room: list[int]) -> Value:
    """Copy what is neither a scalar nor a text: containers, known types, or a type's name."""
    if kind is tuple or kind is list:
        # Slicing is one C call: no other thread can change a list half-way.
        return _clip(
            tuple([_copy_nested(v, depth, room) for v in value[:MAX_ELEMENTS]])
            if depth
            else (),
            len(value),
        )
    if kind is dict:
        items = tuple(islice(value.items(), MAX_ELEMENTS)) if depth else ()
        return _clip(
            {_copy_key(key, room): _copy_nested(v, depth, room) for key, v in items},
            len(value),
        )
    if kind is CodeType:
        return CodeRef(value.co_qualname if _HAS_QUALNAME else value.co_name,
                       value.co_filename[_HEAD], value.co_firstlineno)
    if kind is FunctionType or kind is BuiltinFunctionType:
        return _refer(value)
    if kind is MethodType:
        function = value.__func__
        return _refer(function) if type(function) is FunctionType else Opaque("method")
    flags = _type_flags(kind)
    if flags & _STR_SUBCLASS:
        head = str.__getitem__(value, _HEAD)
        length = str.__len__(value)
        return head if length <= MAX_TEXT else Clipped(head, length)
    if flags & _INT_SUBCLASS:
        number = int.__add__(value, 0)
        return number if -MAX_INT <= number <= MAX_INT else Opaque("int")
    return _copy_known(value, kind) or Opaque(name_type(kind))


_HAS_QUALNAME = hasattr(CodeType, "co_qualname")  # PYVERSIONS: since 3.11


def _clip(head: Any, length: int) -> Value:
    return head if len(head) == length else Clipped(head, length)


def _copy_nested(value: Any, depth: int, room: list[int]) -> Value:
    """Copy one element of a container; ``room`` is what is left of its text budget."""
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return value if -MAX_INT <= value <= MAX_INT else Opaque("int")
    if kind is str or kind is bytes:
        length = len(value)
        allowed = min(room[0], MAX_TEXT)
        if length <= allowed:
            room[0] -= length
            return value  # type: ignore[no-any-return]
        room[0] -= allowed
        return Clipped(value[:allowed], length)
    return _copy_other(value, kind, depth - 1, room)


def _copy_key(key: Any, room: list[int]) -> str:
    """Return a dict's key as text: exact ``str`` and decoded ``bytes``, else its type's name."""
    kind = type(key)
    if kind is str:
        text: str = key[: min(room[0], MAX_TEXT)]
    elif kind is bytes:
        text = key[: min(room[0], MAX_TEXT)].decode("utf-8", "replace")
    elif kind is int and -MAX_INT <= key <= MAX_INT:
        text = str(key)
    else:
        text = f"<{name_type(kind)}>"
    room[0] -= min(len(text), room[0])
    return text


def _refer(function: Any) -> Value:
    """Name a function by its ``__qualname__``: a C slot, unlike ``__code__``, which is audited."""
    name = function.__qualname__
    return CodeRef(name[_HEAD] if type(name) is str else "<function>", "", 0)


def name_type(kind: type) -> str:
    """Return the name of a type, with its module where that is one."""
    name = _type_name(kind)[:MAX_TEXT]
    module = _type_module(kind)
    if type(module) is str and module != "builtins":
        return f"{module[:MAX_TEXT]}.{name}"
    return name


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
        return str(value)[_HEAD]
    return None


def has_base(kind: type, base: type) -> bool:
    """Return whether ``base`` is among the bases of ``kind``, asking no metaclass."""
    return any(one is base for one in _type_mro(kind))


_type_mro: Callable[[type], tuple[type, ...]] = vars(type)["__mro__"].__get__

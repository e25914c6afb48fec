"""How an entry is applied to a snapshot: names resolved once, when the catalogue is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from nogi_otel.capture.values import Clipped
from nogi_otel.catalogue.decoders import DECODERS, GROUP_DECODERS, decode_integer
from nogi_otel.catalogue.display import Part, compile_display, render_display
from nogi_otel.catalogue.endpoints import read_text
from nogi_otel.catalogue.entry import ALL_ARGUMENTS, Attribute, Constant, Description
from nogi_otel.catalogue.text import clean_line, clean_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture.values import Value
    from nogi_otel.catalogue.decoders import Decoder, GroupDecoder
    from nogi_otel.catalogue.entry import AttributeValue, Entry, Group, Severity

    Arguments: TypeAlias = tuple[Value, ...]
    Step: TypeAlias = Callable[[Arguments, dict[str, AttributeValue]], None]

MAX_CUSTOM_ARGUMENTS = 16
"""Arguments of an event without an entry that become attributes, at most."""
CUSTOM_ARGUMENT_PREFIX = "python.audit.arg."


class Plan(NamedTuple):
    """An entry, compiled."""

    event: str
    steps: tuple[Step, ...]
    """Each puts the attributes that it can make into a dict."""
    display: tuple[Part, ...]
    severity: Severity


def compile_plan(entry: Entry) -> Plan:
    """Return the plan of ``entry``.

    Raises ``ValueError`` where it names an argument, a decoder or a key that is not there.
    """
    try:
        steps = tuple([_compile_step(entry, attribute) for attribute in entry.attributes])
    except (KeyError, ValueError) as error:
        message = f"{entry.event}: an attribute names an argument or decoder that is not there"
        raise ValueError(message) from error
    return Plan(entry.event, steps, compile_display(entry), entry.severity)


def apply_plan(plan: Plan, arguments: Arguments) -> Description:
    """Describe an event that has an entry. Missing or unexpected arguments give less."""
    attributes: dict[str, AttributeValue] = {}
    for step in plan.steps:
        step(arguments, attributes)
    return Description(
        attributes, render_display(plan.event, plan.display, attributes), plan.severity
    )


def describe_custom(event: str, arguments: Arguments) -> Description:
    """Describe an event without an entry: its scalars, each with its type, by position.

    The first ``MAX_CUSTOM_ARGUMENTS`` arguments count. Other values stay in the record's
    ``python.audit.args``.
    """
    attributes: dict[str, AttributeValue] = {}
    for index, value in enumerate(arguments[:MAX_CUSTOM_ARGUMENTS]):
        scalar = _decode_scalar(value)
        if scalar is not None:
            attributes[f"{CUSTOM_ARGUMENT_PREFIX}{index}"] = scalar
    shown = " ".join([str(value) for value in attributes.values()])
    return Description(attributes, clean_line(f"{event} {shown}" if shown else event), "INFO")


def _decode_scalar(value: Value) -> AttributeValue | None:
    if type(value) is str:
        return clean_text(value)
    if type(value) is bool or type(value) is float:
        return value
    # The beginning of a long text is text; bytes stay where they are.
    if type(value) is Clipped and type(value.head) is str:
        return read_text(value)
    return decode_integer(value)


def _compile_step(entry: Entry, attribute: Attribute | Group | Constant) -> Step:
    if isinstance(attribute, Constant):
        return _bind_constant(attribute)
    if attribute.argument == ALL_ARGUMENTS:
        if isinstance(attribute, Attribute):
            return _bind_all((attribute.key,), lambda value: (DECODERS[attribute.decoder](value),))
        return _bind_all(attribute.keys, GROUP_DECODERS[attribute.decoder])
    index = entry.arguments.index(attribute.argument)
    if isinstance(attribute, Attribute):
        return _bind_attribute(attribute.key, index, DECODERS[attribute.decoder])
    return _bind_group(attribute.keys, index, GROUP_DECODERS[attribute.decoder])


def _bind_constant(constant: Constant) -> Step:
    key, value = constant.key, constant.value

    def add_constant(_: Arguments, attributes: dict[str, AttributeValue]) -> None:
        attributes[key] = value

    return add_constant


def _bind_attribute(key: str, index: int, decode: Decoder) -> Step:
    def add_attribute(arguments: Arguments, attributes: dict[str, AttributeValue]) -> None:
        if index < len(arguments):
            value = decode(arguments[index])
            if value is not None:
                attributes[key] = value

    return add_attribute


def _bind_group(keys: tuple[str, ...], index: int, decode: GroupDecoder) -> Step:
    def add_group(arguments: Arguments, attributes: dict[str, AttributeValue]) -> None:
        if index < len(arguments):
            for key, value in zip(keys, decode(arguments[index]), strict=True):
                if value is not None:
                    attributes[key] = value  # noqa: PERF403 - hot: no dict in between

    return add_group


def _bind_all(keys: tuple[str, ...], decode: GroupDecoder) -> Step:
    def add_all(arguments: Arguments, attributes: dict[str, AttributeValue]) -> None:
        for key, value in zip(keys, decode(arguments), strict=True):
            if value is not None:
                attributes[key] = value  # noqa: PERF403 - hot: no dict in between

    return add_all

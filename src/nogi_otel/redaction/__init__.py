"""Redaction: nothing secret leaves the process, and what was taken says by which rule.

``Redactor.redact`` takes the arguments of one audit event, a snapshot of plain values, and returns
them with ``[REDACTED:<rule>]`` in the place of each secret. In this order: arguments that are
withheld whole (``schema``), command lines, credentials and parameters of URLs, values behind a
secret name (``keys``, ``pairs``), values of a secret shape (``patterns``), rules of the user's.

Pure: no logging, no I/O, no user code. It fails closed: a value on which a rule errs, or which is
too large to look at in bounded time, becomes ``[REDACTED:error]`` and is counted. Redacting twice
changes nothing.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, NamedTuple

from nogi_otel import catalogue
from nogi_otel.provenance import comes_again
from nogi_otel.redaction.added import AddedRule, parse_added_rule, parse_lifted_rules
from nogi_otel.redaction.command_line import CommandLineRules
from nogi_otel.redaction.keys import KeyRules
from nogi_otel.redaction.markers import ERROR_MARKER, Account, OverBudgetError
from nogi_otel.redaction.rules import RULES
from nogi_otel.redaction.schema import (
    SQL_PARAMETERS,
    ArgumentRule,
    fit_rules,
    follows_sql,
    list_argument_rules,
    name_rule,
)
from nogi_otel.redaction.text import TextRules
from nogi_otel.redaction.values import ValueRules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nogi_otel.capture.values import Value
    from nogi_otel.redaction.keys import SecretKey

__all__ = [
    "ERROR_MARKER",
    "RULES",
    "AddedRule",
    "Redacted",
    "Redactor",
    "build_redactor",
    "name_rule",
]


_MAX_PASSES = 8


class Redacted(NamedTuple):
    """The arguments of an event as they may leave the process."""

    arguments: tuple[Value, ...]
    """The same tuple where nothing was taken."""
    rules: tuple[str, ...]
    """The names of the rules that took something, each once."""
    failed: int
    """How many arguments could not be redacted; ``[REDACTED:error]`` stands for each."""


def build_redactor(add: Iterable[str] = (), lift: Iterable[str] = ()) -> Redactor:
    """Return the redactor of a process.

    ``add`` holds rules as ``name=regex`` (what matches in a text is taken) or ``key:name=regex``
    (the value behind a name in which it matches is taken); ``lift`` holds names of rules, or ``*``.

    Raises:
        SettingsError: a rule cannot be read, or there is none of that name to lift.
    """
    added = tuple([parse_added_rule(text) for text in add])
    known = (*RULES, *(rule.name for rule in added))
    return Redactor(added_rules=added, lifted_rules=parse_lifted_rules(lift, known))


class Redactor:
    """The redaction rules of one process. Holds no state of a call: any thread may use it."""

    def __init__(
        self,
        added_rules: Iterable[AddedRule] = (),
        lifted_rules: Iterable[str] = (),
    ) -> None:
        """Take the rules of the user's, and the names of the rules that do not hold."""
        lifted = frozenset(lifted_rules)
        added = [rule for rule in added_rules if rule.name not in lifted]
        self._active = frozenset(RULES) - lifted
        keys = KeyRules(self._active, [(one.name, one.pattern) for one in added if one.is_key])
        command_lines = CommandLineRules(keys)
        self._texts = TextRules(
            self._active,
            keys,
            command_lines,
            [(one.name, one.pattern) for one in added if not one.is_key],
        )
        self._values = ValueRules(self._active, self._texts, keys, command_lines)
        plans = {
            event: list_argument_rules(entry, self._active)
            for event, entry in catalogue.CATALOGUE.items()
        }
        self._plans = {event: plan for event, plan in plans.items() if any(plan)}

    def redact(self, event: str, arguments: tuple[Value, ...]) -> Redacted:
        """Return the arguments of an audit event without their secrets. Never raises."""
        try:
            return self._redact_arguments(event, arguments)
        except OverBudgetError:
            return Redacted((ERROR_MARKER,) * len(arguments), (), len(arguments))
        except Exception as error:
            # Fails closed. But this also runs on the application's threads, at the end of a span:
            # what a signal handler of the application raises here is the application's.
            if not comes_again(error, lambda: self._redact_arguments(event, arguments)):
                raise
            return Redacted((ERROR_MARKER,) * len(arguments), (), len(arguments))

    def _redact_arguments(self, event: str, arguments: tuple[Value, ...]) -> Redacted:
        plan = self._plans.get(event)
        pair = None if plan else self._judge_pair(event, arguments)
        if plan is None and pair is None and self._values.are_clean(arguments):
            return Redacted(arguments, (), 0)
        rules = self._list_rules(plan, pair, arguments)
        account = Account()
        redacted = tuple(
            [
                value
                if rule is None and self._values.are_clean((value,))
                else self._redact_or_drop(value, rule, account)
                for value, rule in zip(arguments, rules, strict=True)
            ]
        )
        failed = sum([value is ERROR_MARKER for value in redacted])
        same = all(map(is_, redacted, arguments))
        return Redacted(arguments if same else redacted, tuple(account.rules), failed)

    def redact_text(self, text: str) -> str:
        """Return a text of another source, such as a thread's name, without its secrets."""
        try:
            return self._texts.redact(text, Account())
        except OverBudgetError:
            return ERROR_MARKER
        except Exception as error:
            if not comes_again(error, lambda: self._texts.redact(text, Account())):
                raise
            return ERROR_MARKER

    def _judge_pair(self, event: str, arguments: tuple[Value, ...]) -> SecretKey | None:
        """Return what takes the second of two arguments that are name and value."""
        if len(arguments) != 2 or event in catalogue.CATALOGUE:  # noqa: PLR2004 - a pair
            return None
        return self._values.judge_pair(*arguments)

    def _list_rules(
        self,
        plan: tuple[ArgumentRule | None, ...] | None,
        pair: SecretKey | None,
        arguments: tuple[Value, ...],
    ) -> list[ArgumentRule | None]:
        """Return for each argument the rule that follows from its place."""
        rules = fit_rules(plan, len(arguments))
        if pair is not None:
            rules[1] = ArgumentRule(pair.rule, "withhold")
        elif SQL_PARAMETERS in self._active:
            for index in range(1, len(arguments)):
                if rules[index] is None and follows_sql(arguments[index - 1], arguments[index]):
                    rules[index] = ArgumentRule(SQL_PARAMETERS, "withhold")
        return rules

    def _redact_or_drop(self, value: Value, rule: ArgumentRule | None, account: Account) -> Value:
        account.begin_argument()
        try:
            return self._redact_fully(value, rule, account)
        except OverBudgetError:
            return ERROR_MARKER
        except Exception as error:
            if not comes_again(error, lambda: self._redact_fully(value, rule, Account())):
                raise
            return ERROR_MARKER

    def _redact_fully(self, value: Value, rule: ArgumentRule | None, account: Account) -> Value:
        if rule is not None and rule.action == "withhold":
            return self._values.withhold(value, rule.rule, account)
        for _ in range(_MAX_PASSES):
            redacted = self._redact_once(value, rule, account)
            if redacted is value:
                return value
            value = redacted  # what one rule leaves may be what another looks for
        return ERROR_MARKER

    def _redact_once(self, value: Value, rule: ArgumentRule | None, account: Account) -> Value:
        if rule is None:
            return self._values.redact(value, account)
        return self._values.read(rule.action, value, account)

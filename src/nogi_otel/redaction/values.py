"""The rules applied to the values of a snapshot: texts, bytes, and what contains them."""

from __future__ import annotations

import re
from operator import is_
from typing import TYPE_CHECKING, Any

from nogi_otel.capture.snapshot import MAX_TEXT
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.redaction.cards import LEAST_CARD, is_card_number
from nogi_otel.redaction.keys import is_harmless_value
from nogi_otel.redaction.markers import MARKER, OverBudgetError
from nogi_otel.redaction.schema import FTP_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture.values import Value
    from nogi_otel.redaction.command_line import CommandLineRules
    from nogi_otel.redaction.keys import KeyRules, SecretKey
    from nogi_otel.redaction.markers import Account
    from nogi_otel.redaction.schema import Action
    from nogi_otel.redaction.text import TextRules

_MAX_DEPTH = 16
_KEY = re.compile(r"[A-Za-z_][\w.\- ]{1,63}", re.ASCII)
_NAME_NAMES = ("name", "key", "Name", "Key")
_VALUE_NAMES = frozenset({"value", "Value"})
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY")
_PLAIN = frozenset({type(None), bool, float})
_WITHOUT_CONTENT = frozenset({type(None), bool, Opaque, CodeRef, SocketRef})
_CONTAINERS = frozenset({str, bytes, tuple, dict})
_TEXTUAL = frozenset({str, bytes, Clipped})


class ValueRules:
    """Applies the rules to one argument; what has no secret comes back as the same object."""

    def __init__(
        self,
        active: frozenset[str],
        texts: TextRules,
        keys: KeyRules,
        command_lines: CommandLineRules,
    ) -> None:
        """Take the names of the active rules and the rules for parts of a value."""
        self._active = active
        self._texts = texts
        self._keys = keys
        self._command_lines = command_lines
        # By exact type: anything else is no value of a snapshot.
        self._by_type: dict[type, Callable[[Any, Account, int], Value]] = {
            str: self._redact_text,
            bytes: self._redact_bytes,
            int: self._redact_number,
            tuple: self._redact_tuple,
            dict: self._redact_dict,
            Clipped: self._redact_clipped,
            Opaque: self._redact_opaque,
            CodeRef: self._redact_code,
            SocketRef: self._redact_socket,
        }

    def are_clean(self, values: tuple[Value, ...]) -> bool:
        """Return whether no rule for parts can find anything: cheap, and right for most events.

        It may say no where there is nothing; it never says yes where there is something.
        """
        may_hold_secret = self._texts.may_hold_secret
        for value in values:
            kind = type(value)
            if kind is str:
                if len(value) >= MAX_TEXT or may_hold_secret(value):  # type: ignore[arg-type]
                    return False
            elif kind is int:
                if value >= LEAST_CARD:  # type: ignore[operator]
                    return False
            elif not (kind in _PLAIN or self._is_clean_other(value)):
                return False
        return True

    def _is_clean_other(self, value: Value) -> bool:
        if type(value) is tuple:
            if len(value) == 2 and self.judge_pair(*value):  # noqa: PLR2004 - a pair
                return False
            return not any(map(_is_flag, value)) and self.are_clean(value)
        if type(value) is dict:
            return self._are_clean_names(value) and self.are_clean(tuple(value.values()))
        if type(value) is SocketRef or type(value) is Opaque:
            return not self._texts.may_hold_secret(value.type_name)
        return False

    def _are_clean_names(self, values: dict[str, Value]) -> bool:
        judge, may_hold_secret = self._keys.judge, self._texts.may_hold_secret
        return not any(
            type(name) is not str or judge(name) or may_hold_secret(name) or name in _VALUE_NAMES
            for name in values
        )

    def redact(self, value: Value, account: Account, depth: int = 0) -> Value:
        """Return the value without its secrets.

        Raises:
            OverBudgetError: the value is too large or too deep.
            TypeError: it is no value of a snapshot, so nothing is known about it.
        """
        kind = type(value)
        if kind in _PLAIN:
            return value
        account.work(1)
        if depth > _MAX_DEPTH:
            raise OverBudgetError
        redact = self._by_type.get(kind)
        if redact is None:
            raise TypeError
        return redact(value, account, depth)

    def withhold(self, value: Value, rule: str, account: Account) -> Value:
        """Return what stands for an argument that does not leave the process."""
        if shows_nothing(value) or (type(value) is str and MARKER.fullmatch(value)):
            return value
        return account.take(rule)

    def read(self, action: Action, value: Value, account: Account) -> Value:
        """Return an argument of which only the secret part is taken."""
        if action == "command-line":
            return self._redact_command(value, account)
        return self._redact_ftp_command(value, account)

    def judge_pair(self, key: Value, value: Value) -> SecretKey | None:
        """Return what takes the second of two values that are name and value: of a header."""
        name = read_text(key)
        if name is None or not _KEY.fullmatch(name):
            return None
        secret = self._keys.judge(name)
        return None if secret is None or self._is_harmless(value, secret) else secret

    def _redact_command(self, value: Value, account: Account) -> Value:
        """Return a command, a list of words or one line for a shell, without its secrets."""
        text = read_text(value)
        if text is not None:
            return self.redact(
                _replace_text(value, text, self._redact_line(text, account)), account
            )
        head = value.head if isinstance(value, Clipped) else value
        if type(head) is not tuple:
            return self.redact(value, account)
        words = self._redact_words(head, account)
        if words is head and self.are_clean(head):
            return value
        redacted = self._redact_elements(words, account, 1)
        if redacted is head:
            return value
        return Clipped(redacted, value.length) if isinstance(value, Clipped) else redacted

    def _redact_ftp_command(self, value: Value, account: Account) -> Value:
        """Return an FTP command without the password of ``PASS`` and ``ACCT``. RFC 959."""
        text = read_text(value)
        match = FTP_PASSWORD.fullmatch(text) if text is not None else None
        if text is None or match is None:
            return self.redact(value, account)
        if MARKER.fullmatch(match["secret"]):
            return value
        return text[: match.start("secret")] + account.take("ftp-password")

    def _redact_line(self, line: str, account: Account) -> str:
        account.work(len(line))
        return self._command_lines.redact_line(line, account)

    def _redact_words(self, words: tuple[Value, ...], account: Account) -> tuple[Value, ...]:
        texts = [read_text(word) or "" for word in words]
        account.work(sum(map(len, texts)))
        redacted = self._command_lines.redact_words(texts, account)
        if redacted == texts:
            return words
        return tuple([_replace_text(*one) for one in zip(words, texts, redacted, strict=True)])

    def _redact_text(self, value: str, account: Account, _: int) -> str:
        # A path or a key may be cut without saying so; then it has just this length.
        return self._texts.redact(value, account, cut=len(value) >= MAX_TEXT)

    def _redact_bytes(self, value: bytes, account: Account, _: int) -> bytes:
        text = value.decode("latin-1")
        redacted = self._texts.redact(text, account, cut=len(text) >= MAX_TEXT)
        return value if redacted is text else redacted.encode("latin-1")

    def _redact_number(self, value: int, account: Account, _: int) -> Value:
        if value >= LEAST_CARD and "card-number" in self._active and is_card_number(value):
            return account.take("card-number")
        return value

    def _redact_clipped(self, value: Clipped, account: Account, depth: int) -> Value:
        text = read_text(value)
        if text is not None:
            return _replace_text(value, text, self._texts.redact(text, account, cut=True))
        redacted = self.redact(value.head, account, depth + 1)
        return value if redacted is value.head else Clipped(redacted, value.length)

    def _redact_opaque(self, value: Opaque, account: Account, _: int) -> Opaque:
        name = self._texts.redact(value.type_name, account)
        return value if name is value.type_name else Opaque(name)

    def _redact_code(self, value: CodeRef, account: Account, _: int) -> CodeRef:
        name = self._texts.redact(value.qualified_name, account)
        path = self._redact_text(value.file_path, account, 0)
        same = name is value.qualified_name and path is value.file_path
        return value if same else CodeRef(name, path, value.line_number)

    def _redact_socket(self, value: SocketRef, account: Account, _: int) -> SocketRef:
        name = self._texts.redact(value.type_name, account)
        return value if name is value.type_name else value._replace(type_name=name)

    def _redact_tuple(
        self, values: tuple[Value, ...], account: Account, depth: int
    ) -> tuple[Value, ...]:
        if len(values) == 2:  # noqa: PLR2004 - a pair
            secret = self.judge_pair(values[0], values[1])
            if secret is not None:
                return (values[0], account.take(secret.rule))
        if "command-line" in self._active and any(map(_is_flag, values)):
            values = self._redact_words(values, account)
        return self._redact_elements(values, account, depth)

    def _redact_elements(
        self, values: tuple[Value, ...], account: Account, depth: int
    ) -> tuple[Value, ...]:
        redacted: list[Value] = []
        in_key = False  # between the lines of a private key
        for value in values:
            text = read_text(value) if type(value) in _TEXTUAL else None
            if in_key and text:
                in_key = not _KEY_ENDS.search(text)
                redacted.append(account.take("private-key"))
                continue
            if text is not None and "-----BEGIN " in text and "private-key" in self._active:
                in_key = bool(_KEY_BEGINS.search(text)) and not _KEY_ENDS.search(text)
            redacted.append(self.redact(value, account, depth + 1))
        same = all(map(is_, redacted, values))
        return values if same else tuple(redacted)

    def _redact_dict(
        self, values: dict[str, Value], account: Account, depth: int
    ) -> dict[str, Value]:
        redacted: dict[str, Value] = {}
        same = True
        for key, value in values.items():
            name = key if type(key) is str else repr(key)
            secret = self._judge_name(name, values)
            if secret is not None and not self._is_harmless(value, secret):
                new: Value = account.take(secret.rule)
            else:
                new = self.redact(value, account, depth + 1)
            new_key = self._texts.redact(name, account)
            while new_key is not key and new_key in redacted:
                new_key += "'"
            same = same and new is value and new_key is key
            redacted[new_key] = new
        return values if same else redacted

    def _judge_name(self, name: str, values: dict[str, Value]) -> SecretKey | None:
        if MARKER.search(name):
            return None
        if name in _VALUE_NAMES:
            # The name stands beside the value, as in the environment of a container.
            for other in _NAME_NAMES:
                secret = self.judge_pair(values.get(other), values[name])
                if secret is not None:
                    return secret
        return self._keys.judge(name)

    def _is_harmless(self, value: Value, secret: SecretKey) -> bool:
        text = read_text(value)
        if text is not None:
            return is_harmless_value(secret, text)
        if type(value) in {int, float}:
            return secret.numbers_are_counts
        return shows_nothing(value)


def shows_nothing(value: Value) -> bool:
    """Return whether a value holds no content: it says what there was, and can stay."""
    kind = type(value)
    return kind in _WITHOUT_CONTENT or (kind in _CONTAINERS and not value)


def read_text(value: Value) -> str | None:
    """Return a text, or bytes as text, or what is left of either; None for other values."""
    if isinstance(value, Clipped):
        value = value.head
    if type(value) is str:
        return value
    return value.decode("latin-1") if type(value) is bytes else None


def _replace_text(value: Value, text: str, redacted: str) -> Value:
    """Return a value of the same type whose text has become another."""
    if redacted == text:
        return value
    head = value.head if isinstance(value, Clipped) else value
    new: Value = redacted.encode("latin-1") if type(head) is bytes else redacted
    return Clipped(new, value.length) if isinstance(value, Clipped) else new


def _is_flag(value: Value) -> bool:
    return (type(value) is str and value[:1] == "-") or (type(value) is bytes and value[:1] == b"-")

"""Which names mark their value as secret: ``password``, ``X-Api-Key``, ``AWS_ACCESS_KEY_ID``.

A name is split into words (``userPassword``, ``user_password`` and ``USER-PASSWORD`` are the same
two) and judged by whole words, so that ``author``, ``tokenize`` and ``monkey`` are no secrets. A
name that holds a secret word is secret unless its end says that the value is something else
(``token_url``, ``password_file``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MAX_KEY = 128
"""Characters of a name that are looked at: its end tells what it is."""


class SecretKey(NamedTuple):
    """What a secret name says about its value."""

    rule: str
    numbers_are_counts: bool = False
    """``tokens=100`` counts tokens; ``tokens=abc`` shows one."""
    paths_are_places: bool = False
    """``PWD=/srv`` is a folder and ``private_key=/etc/tls/key.pem`` a file."""


_WORDS: dict[str, str] = {
    **dict.fromkeys(
        (
            "password",
            "passwords",
            "passwd",
            "passphrase",
            "passcode",
            "pincode",
            "pass",
            "pwd",
            "pw",
        ),
        "password",
    ),
    **dict.fromkeys(("secret", "secrets"), "secret"),
    **dict.fromkeys(("token", "tokens", "jwt", "csrf", "xsrf", "otp", "totp"), "token"),
    **dict.fromkeys(
        (
            "apikey",
            "apikeys",
            "accesskey",
            "accountkey",
            "adminkey",
            "appkey",
            "authkey",
            "consumerkey",
            "deploykey",
            "encryptionkey",
            "hmackey",
            "licensekey",
            "masterkey",
            "secretkey",
            "servicekey",
            "sessionkey",
            "sharedkey",
            "signingkey",
            "storagekey",
            "subscriptionkey",
        ),
        "api-key",
    ),
    "authorization": "authorization",
    **dict.fromkeys(("cookie", "cookies"), "cookie"),
    **dict.fromkeys(("credential", "credentials", "creds"), "credential"),
    **dict.fromkeys(("privatekey", "sshkey"), "private-key"),
    **dict.fromkeys(("sessionid", "sessid"), "session-id"),
    **dict.fromkeys(("cardnumber", "creditcard", "ccnumber", "cvv", "cvc", "cvv2"), "card-number"),
    **dict.fromkeys(("ssn", "socialsecurity"), "social-security-number"),
}
"""One word, or two neighbours written as one, and the rule that takes the value."""

_LAST_WORDS = {"auth": "authorization"}
"""Secret only where nothing follows: ``auth=...``, but not ``auth_level=...``."""

_ENDINGS = (
    ("password", "password"),
    ("passwd", "password"),
    ("passphrase", "password"),
    ("pass", "password"),
    ("secret", "secret"),
    ("token", "token"),
    ("authorization", "authorization"),
    ("cookie", "cookie"),
    ("credentials", "credential"),
    ("apikey", "api-key"),
    ("accesskey", "api-key"),
    ("secretkey", "api-key"),
    ("privatekey", "private-key"),
    ("sessionid", "session-id"),
    ("sessid", "session-id"),
)
"""The ends of words written as one: ``PGPASSWORD``, ``authtoken``, ``PHPSESSID``."""

_ORDINARY_WORDS = frozenset(
    "bypass compass encompass overpass surpass trespass underpass".split()  # noqa: SIM905
)

_COUNTED = frozenset(
    "cookies creds credentials pass passwords secrets tokens apikeys".split()  # noqa: SIM905
)

_HARMLESS_BEGINNINGS = frozenset(
    "ask count has is max min no num prompt total without".split()  # noqa: SIM905
)

_HARMLESS_ENDINGS = frozenset(
    """
    age algorithm arn at attempt attempts backend cache changed class count counter created dir
    directory domain enabled encoding endpoint error errors exception exempt expired expires
    expiry factory field fields file filename form format forms generator handler hasher
    hashers header hint httponly index invalid jar kind len length lifetime limit location
    manager max method methods middleware min missing mixin mode model module name names needed
    param params parser path policy prefix processor prompt protocol provider ref required
    retries role samesite schema scheme scope scopes secure separator serializer service size
    source status stdin storage store strength suffix timeout ttl type types uri url used user
    username valid validator validators version view views widget
    """.split()  # noqa: SIM905
)
"""What a name ends with whose value is about a secret, and is none."""

_FILE_SUFFIXES = frozenset(
    """
    c cfg conf csv db go h html ini java js json lock log md py pyc pyi rb rs rst sh so sql ts toml
    txt xml yaml yml
    """.split()  # noqa: SIM905
)

_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PLACEHOLDER = re.compile(
    r"""(?ix:
        none | null | nil | true | false | undefined | n/a | \.\.\. | ellipsis
        | \*+ | \? | %s | %\(\w+\)s | \{\w*\} | redacted
    )
    | \$[A-Z_]{4,} | \$\{[A-Z_]{4,}\} | \[REDACTED:[a-z0-9-]+\] | \s*""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?%?")
_PATH = re.compile(r"(?:/|~/|\.\.?/|[A-Za-z]:\\)[^\r\n]*|[\w.\-]+\.(?:key|pem)")
_SCHEME = re.compile(
    r"(?i:any|basic|bearer|digest|hmac|kerberos|ldap|md5|negotiate|ntlm|oauth2?|pam|peer"
    r"|required|sha\d*|token|trust)"
)


class KeyRules:
    """Judges names by the rules that are not lifted, and by those that a user has added."""

    def __init__(
        self,
        active: frozenset[str],
        added: Sequence[tuple[str, re.Pattern[str]]] = (),
    ) -> None:
        """Take the names of the active rules, and name and pattern of each added one."""
        self._active = active
        self._added = tuple(added)
        # Names repeat, and few are looked at; the cache lives as long as the process is armed.
        self._judge: Callable[[str], SecretKey | None] = lru_cache(maxsize=1024)(self._judge_name)

    def judge(self, key: str) -> SecretKey | None:
        """Return what takes the value of this name; None where the name is harmless."""
        return self._judge(key if len(key) <= _MAX_KEY else key[-_MAX_KEY:])

    def _judge_name(self, key: str) -> SecretKey | None:
        for rule, pattern in self._added:
            if pattern.search(key):
                return SecretKey(rule)
        secret = judge_name(key)
        return secret if secret is not None and secret.rule in self._active else None


def judge_name(key: str) -> SecretKey | None:
    """Return what the built-in rules say about a name."""
    words = [word.lower() for word in _SPLIT.findall(key)]
    if not words or words[0] in _HARMLESS_BEGINNINGS or words[-1] in _HARMLESS_ENDINGS:
        return None
    if key.rpartition(".")[2].lower() in _FILE_SUFFIXES:
        return None
    for word in words:
        rule = _WORDS.get(word) or _find_ending(word)
        if rule:
            return SecretKey(
                rule,
                numbers_are_counts=word in _COUNTED,
                paths_are_places=rule == "private-key" or words[-1] == "pwd",
            )
    for pair in pairwise(words):
        rule = _WORDS.get("".join(pair))
        if rule:
            return SecretKey(rule, paths_are_places=rule == "private-key")
    last = _LAST_WORDS.get(words[-1])
    return SecretKey(last) if last else None


def _find_ending(word: str) -> str | None:
    if word in _ORDINARY_WORDS:
        return None
    return next((rule for ending, rule in _ENDINGS if word.endswith(ending)), None)


def is_harmless_value(secret: SecretKey, value: str) -> bool:
    """Return whether a value shows nothing: empty, ``None``, a placeholder, already redacted."""
    if _PLACEHOLDER.fullmatch(value):
        return True
    if secret.numbers_are_counts and _NUMBER.fullmatch(value):
        return True
    if secret.paths_are_places and _PATH.fullmatch(value):
        return True
    return secret.rule == "authorization" and _SCHEME.fullmatch(value) is not None

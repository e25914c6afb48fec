"""Arguments that are secret by what they are: an environment, a request's body, a typed line.

The catalogue says which arguments are withheld (``Entry.withheld``); here each has the name of the
rule under which a user can lift it, and command lines and FTP commands are read word by word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from nogi_otel.capture.values import Clipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nogi_otel.capture.values import Value
    from nogi_otel.catalogue.entry import Entry

Action: TypeAlias = Literal["withhold", "command-line", "ftp-password"]


class ArgumentRule(NamedTuple):
    """What happens to one argument of an event, whatever it looks like."""

    rule: str
    action: Action


WITHHELD: Mapping[tuple[str, str], str] = {
    ("_posixsubprocess.fork_exec", "env"): "process-env",
    ("_thread.start_new_thread", "args"): "thread-arguments",
    ("_thread.start_new_thread", "kwargs"): "thread-arguments",
    ("array.__new__", "initializer"): "memory-content",
    ("builtins.input/result", "result"): "typed-input",
    ("compile", "source"): "source-code",
    ("cpython.PyConfig_Set", "value"): "config-value",
    ("cpython.run_command", "command"): "source-code",
    ("ctypes.call_function", "arguments"): "memory-content",
    ("ctypes.create_string_buffer", "init"): "memory-content",
    ("ctypes.create_unicode_buffer", "init"): "memory-content",
    ("fcntl.fcntl", "arg"): "memory-content",
    ("fcntl.ioctl", "arg"): "memory-content",
    ("gc.get_referents", "objs"): "memory-content",
    ("gc.get_referrers", "objs"): "memory-content",
    ("http.client.send", "data"): "http-body",
    ("imaplib.send", "data"): "imap-data",
    ("marshal.dumps", "value"): "memory-content",
    ("marshal.loads", "bytes"): "memory-content",
    ("nntplib.putline", "line"): "nntp-data",
    ("object.__setattr__", "value"): "attribute-value",
    ("os.exec", "env"): "process-env",
    ("os.posix_spawn", "env"): "process-env",
    ("os.putenv", "value"): "process-env",
    ("os.setxattr", "value"): "xattr-value",
    ("os.spawn", "env"): "process-env",
    ("poplib.putline", "line"): "pop-data",
    ("smtplib.send", "data"): "smtp-data",
    ("subprocess.Popen", "env"): "process-env",
    ("syslog.syslog", "message"): "log-message",
    ("telnetlib.Telnet.write", "buffer"): "telnet-data",
    ("urllib.Request", "data"): "http-body",
    ("urllib.Request", "headers"): "http-headers",
    ("winreg.SetValue", "value"): "registry-value",
}
"""Event, argument, and the name of the rule that withholds it."""

OTHER_WITHHELD = "withheld"
"""The rule of an argument that the catalogue withholds and the table above does not know."""
SQL_PARAMETERS = "sql-parameters"

READ: Mapping[tuple[str, str], Action] = {
    ("_posixsubprocess.fork_exec", "args"): "command-line",
    ("_winapi.CreateProcess", "command_line"): "command-line",
    ("ftplib.sendcmd", "cmd"): "ftp-password",
    ("os.exec", "args"): "command-line",
    ("os.posix_spawn", "argv"): "command-line",
    ("os.spawn", "args"): "command-line",
    ("os.startfile/2", "arguments"): "command-line",
    ("os.system", "command"): "command-line",
    ("pty.spawn", "argv"): "command-line",
    ("subprocess.Popen", "args"): "command-line",
}
"""Arguments of which only the secret part is taken."""

FTP_PASSWORD = re.compile(r"(?i:PASS|ACCT) (?P<secret>[\s\S]+)")
_SQL = re.compile(
    r"\s*(?i:select|insert|update|delete|replace|merge|call|exec|execute|with|values)\b"
)


def name_rule(event: str, argument: str) -> str:
    """Return the name of the rule that withholds an argument."""
    return WITHHELD.get((event, argument), OTHER_WITHHELD)


def list_argument_rules(entry: Entry, active: frozenset[str]) -> tuple[ArgumentRule | None, ...]:
    """Return the rule of each argument of an event, in the order of the arguments."""
    rules: list[ArgumentRule | None] = []
    for argument in entry.arguments:
        action = READ.get((entry.event, argument))
        name = name_rule(entry.event, argument)
        if action is not None:
            rules.append(ArgumentRule(action, action) if action in active else None)
        elif argument in entry.withheld and name in active:
            rules.append(ArgumentRule(name, "withhold"))
        else:
            rules.append(None)
    return tuple(rules)


def fit_rules(
    rules: tuple[ArgumentRule | None, ...] | None, count: int
) -> list[ArgumentRule | None]:
    """Return a rule for each of ``count`` arguments.

    Any program may raise an event of CPython's with other arguments; then nothing says which of
    them is the secret one, and each falls under the event's rule.
    """
    if rules is None:
        return [None] * count
    if len(rules) == count:
        return list(rules)
    given = [rule for rule in rules if rule is not None]
    withheld = [rule for rule in given if rule.action == "withhold"]
    return [(withheld or given)[0]] * count


def follows_sql(before: Value, value: Value) -> bool:
    """Return whether a value is the parameters of the SQL statement before it."""
    head = value.head if isinstance(value, Clipped) else value
    if type(before) is not str or type(head) not in {tuple, dict}:
        return False
    return _SQL.match(before) is not None

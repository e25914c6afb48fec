"""Secrets in URLs: the user's name and password, and signed or secret query parameters.

OpenTelemetry semantic conventions 1.44, attribute ``url.full``: credentials become
``REDACTED:REDACTED``, and the value of a signing parameter becomes ``REDACTED``. The conventions
name the first seven parameters below.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nogi_otel.redaction.markers import MARKER, URL_MARKER

if TYPE_CHECKING:
    from nogi_otel.redaction.markers import Account

SECRET_PARAMETERS = frozenset(
    {
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
        "awsaccesskeyid",
        "signature",
        "sig",
        "x-goog-signature",
        "x-goog-credential",
        "x-oss-signature",
        "x-oss-credential",
        "x-ms-signature",
        "googleaccessid",
        "ossaccesskeyid",
        "hdnea",
        "hdnts",
        "hexkey",
        "hmac",
        "sign",
        "code_verifier",
        "client_assertion",
        "id_token_hint",
        "samlresponse",
        "samlrequest",
        "key-pair-id",
        "textkey",
    }
)
"""Lower case. Names such as ``token`` or ``api_key`` are secret anywhere: see ``keys``."""

_WEB = frozenset({"http", "https", "ftp", "ftps", "ws", "wss", "git+http", "git+https"})

_USERINFO = re.compile(
    r"""
    ://(?:
        # Up to the last @ of the authority: a password may hold an unquoted one.
        (?P<info>(?:[^\s/?\#"'<>\\]|'(?![,)\]}:;]|$)){1,512})@
        # A password with an unquoted slash; not the path behind a port: http://host:80/@scope.
        |(?P<slashed>[^\s/?\#@:"'<>\[\]]{0,128}:(?!\d{1,5}[/?\#])[^\s"'<>]{1,512})@(?=\S)
    )
    """,
    re.VERBOSE,
)
_CUT_USERINFO = re.compile(
    r"""://(?P<info>[^\s/?\#@:"'<>\[\]]{0,128}:[^\s@"'<>/?\#]{1,512})\Z""", re.VERBOSE
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*\Z")
_MAX_SCHEME = 32
# go-sql-driver's root:secret@tcp(db:3306)/, and Oracle's jdbc:oracle:thin:scott/secret@db.
_DRIVER_PASSWORD = re.compile(
    r"""
    (?:(?<![\w.\-\[:/])[\w.\-]{1,64}:(?!//)(?P<dsn>[^\s@"']{1,256})@(?=(?:tcp|unix)\())
    |(?:(?<=jdbc:oracle:thin:)|(?<=jdbc:oracle:oci:))[^\s/@:]{1,64}/(?P<oracle>[^\s@"']{1,256})@
    """,
    re.VERBOSE,
)


def redact_userinfo(text: str, account: Account, active: frozenset[str], *, cut: bool) -> str:
    """Take what stands before the ``@`` of every URL. ``cut``: the text may end in mid-password."""
    if "@" in text:
        text = _replace_userinfo(_USERINFO, text, account, active)
        if "connection-string" in active and (
            "@tcp(" in text or "@unix(" in text or "jdbc:" in text
        ):
            text = _DRIVER_PASSWORD.sub(
                lambda match: _replace_driver_password(match, account), text
            )
    if cut:
        text = _replace_userinfo(_CUT_USERINFO, text, account, active)
    return text


def _replace_userinfo(
    pattern: re.Pattern[str], text: str, account: Account, active: frozenset[str]
) -> str:
    def replace(match: re.Match[str]) -> str:
        name = "info" if match["info"] is not None else "slashed"
        info = match[name]
        scheme = _SCHEME.search(text, max(match.start() - _MAX_SCHEME, 0), match.start())
        is_web = scheme is not None and scheme[0].lower() in _WEB
        # The colon inside a marker that already stands here is none of the URL's.
        plain = MARKER.sub("", info)
        has_password = ":" in plain and not plain.endswith(":")
        rule = "url-userinfo" if is_web else "connection-string"
        # git@ in ssh://git@host is no secret; in https:// a lone name often is a token.
        already = pattern is _CUT_USERINFO and plain != info
        if rule not in active or already or not (has_password or is_web):
            return match[0]
        shown = f"{URL_MARKER}:{URL_MARKER}" if ":" in info else URL_MARKER
        if info == shown:
            return match[0]
        account.take(rule)
        begin, end = match.span(name)
        return text[match.start() : begin] + shown + text[end : match.end()]

    return pattern.sub(replace, text)


def _replace_driver_password(match: re.Match[str], account: Account) -> str:
    name = "dsn" if match["dsn"] is not None else "oracle"
    if MARKER.fullmatch(match[name]):
        return match[0]
    begin, end = (place - match.start() for place in match.span(name))
    return match[0][:begin] + account.take("connection-string") + match[0][end:]

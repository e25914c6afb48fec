"""The names of all rules, each with what it takes. A user lifts a rule by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RULES: Mapping[str, str] = {
    # Arguments, by what they are
    "attribute-value": "the value that is set on a class or function",
    "config-value": "the value of an interpreter option",
    "http-body": "what http.client sends, and the body of a urllib request",
    "http-headers": "the headers of a urllib request",
    "imap-data": "what imaplib sends",
    "log-message": "the message of syslog.syslog",
    "memory-content": "the content of buffers, arrays and marshalled objects",
    "nntp-data": "what nntplib sends",
    "pop-data": "what poplib sends",
    "process-env": "the environment of a program, and the value of os.putenv",
    "registry-value": "the value written to the Windows registry",
    "smtp-data": "what smtplib sends",
    "source-code": "the source given to compile, and the text of python -c",
    "sql-parameters": "the parameters that follow an SQL statement",
    "telnet-data": "what telnetlib sends",
    "thread-arguments": "the arguments of a thread's function",
    "typed-input": "what a person typed at input()",
    "withheld": "any other argument that the catalogue withholds",
    "xattr-value": "the value of an extended file attribute",
    # Parts of arguments
    "command-line": "what follows --password, mysql -p, curl -u user: and their like",
    "ftp-password": "the password of an FTP command",
    # Texts in URLs
    "connection-string": "name and password in postgres://, redis://, amqp:// and driver strings",
    "url-query": "signatures and secrets among the parameters of a URL",
    "url-userinfo": "name and password in an http:// or ftp:// URL",
    # Values, by the name before them
    "api-key": "the value of api_key, access_key, AccountKey ...",
    "authorization": "the value of Authorization, auth ...",
    "card-number": "payment card numbers by prefix, length and Luhn sum, and the value of cvv",
    "cookie": "the value of Cookie, Set-Cookie, cookies",
    "credential": "the value of credential, credentials, creds",
    "password": "the value of password, passwd, PGPASSWORD, passphrase ...",
    "private-key": "PEM and PuTTY private keys, and the value of private_key",
    "secret": "the value of secret, client_secret ...",
    "session-id": "the value of sessionid, JSESSIONID ...",
    "social-security-number": "the value of ssn",
    "token": "the value of token, access_token, csrf, jwt, otp ...",
    # Values, by their shape
    "api-token": "tokens of OpenAI, Hugging Face, SendGrid, DigitalOcean, Vault, Telegram ...",
    "aws-access-key": "AWS access key ids",
    "basic-auth": "Basic credentials",
    "bearer": "Bearer tokens",
    "github-token": "GitHub tokens",
    "gitlab-token": "GitLab tokens",
    "google-key": "Google API keys, access tokens and client secrets",
    "jwt": "JSON web tokens",
    "npm-token": "npm tokens",
    "pypi-token": "PyPI tokens",
    "slack-token": "Slack tokens and webhook paths",
    "sql-password": "the password in CREATE USER ... IDENTIFIED BY and its like",
    "stripe-key": "Stripe keys and webhook secrets",
}
"""The built-in rules, by name."""

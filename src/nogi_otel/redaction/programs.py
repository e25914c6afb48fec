"""Programs that take a secret where no name gives it away, as data. Easy to extend."""

from __future__ import annotations

import re
from typing import NamedTuple


class Program(NamedTuple):
    """Where one program takes a secret that no name gives away."""

    next_word: frozenset[str] = frozenset()
    """Words after which the next one is a secret: ``sshpass -p x``."""
    rest_of_word: tuple[str, ...] = ()
    """Beginnings after which the rest of the word is one: ``mysql -px``."""
    next_login: frozenset[str] = frozenset()
    """Words after which ``user:secret`` follows: ``curl -u``."""
    login_separator: str = ":"
    positional: re.Pattern[str] | None = None
    """A word without a flag that holds one, in the pattern's group: ``sqlplus scott/tiger@db``."""
    once: bool = False
    """It runs another program, whose flags are not its own: ``sshpass -p x ssh -p 22``."""
    only_after: str = ""
    """The subcommand before which the above does not hold: ``docker login``."""


def list_names(names: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(names.split())


_MYSQL = Program(rest_of_word=("-p",))
_MYSQL_ADMIN = Program(rest_of_word=("-p",), next_word=list_names("password"))
_LOGIN = Program(next_word=list_names("-p"), only_after="login")
_MONGO = Program(next_word=list_names("-p"), rest_of_word=("-p",))
_ORACLE = Program(positional=re.compile(r"[\w$#]+/([^\s@/]+)(?:@.*)?", re.ASCII))
_SNMP = Program(next_word=list_names("-A -X -c"))

PROGRAMS: dict[str, Program] = {
    **dict.fromkeys(
        list_names(
            "mysql mysqldump mysqlimport mysqlshow mysqlcheck mysqlbinlog mysqlpump mysqlslap"
            " mariadb mariadb-dump mycli"
        ),
        _MYSQL,
    ),
    **dict.fromkeys(list_names("mysqladmin mariadb-admin"), _MYSQL_ADMIN),
    **dict.fromkeys(list_names("docker podman buildah skopeo nerdctl helm az oc cf"), _LOGIN),
    **dict.fromkeys(
        list_names("mongo mongosh mongodump mongorestore mongoexport mongoimport"), _MONGO
    ),
    **dict.fromkeys(list_names("sqlplus sqlldr exp imp expdp impdp rman"), _ORACLE),
    **dict.fromkeys(
        list_names("mosquitto_pub mosquitto_sub sqlcmd bcp tsql ipmitool"),
        Program(list_names("-P"), ("-P",)),
    ),
    **dict.fromkeys(list_names("snmpget snmpwalk snmpset snmpbulkwalk"), _SNMP),
    **dict.fromkeys(list_names("zip unzip"), Program(list_names("-P"), ("-P",))),
    **dict.fromkeys(list_names("7z 7za 7zz rar unrar"), Program(rest_of_word=("-hp", "-p"))),
    **dict.fromkeys(
        list_names("ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami"),
        Program(list_names("-w"), ("-w",)),
    ),
    "ldappasswd": Program(list_names("-w -s -a"), ("-w",)),
    **dict.fromkeys(
        list_names("smbclient rpcclient smbget"),
        Program(next_login=list_names("-U --user"), login_separator="%"),
    ),
    **dict.fromkeys(list_names("http https"), Program(next_login=list_names("-a"))),
    **dict.fromkeys(list_names("xfreerdp wfreerdp"), Program(rest_of_word=("/p:",))),
    "sshpass": Program(list_names("-p"), ("-p",), once=True),
    "curl": Program(
        next_word=list_names("-b --cookie --pass --proxy-pass --oauth2-bearer --tlspassword"),
        next_login=list_names("-u -U --user --proxy-user"),
    ),
    "lftp": Program(next_login=list_names("-u"), login_separator=","),
    "redis-cli": Program(list_names("-a requirepass masterauth"), ("-a",)),
    "openssl": Program(list_names("-k -K")),
    "ssh-keygen": Program(list_names("-N -P")),
    "twine": Program(list_names("-p")),
    "nmcli": Program(list_names("password wifi-sec.psk 802-11-wireless-security.psk")),
    "rdesktop": Program(list_names("-p"), ("-p",)),
    "ncftpput": Program(list_names("-p")),
}
"""By the name of the program, in lower case."""

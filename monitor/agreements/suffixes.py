"""Public suffixes: takes a host name, says whether strangers can have names below it.

By the list of publicsuffix.org where the system has it (the package `publicsuffix` of Debian and others). Else by the
few that agreements are likely to meet, and `whole` says so: who checks rules should know what they were held against.
"""

from __future__ import annotations

from pathlib import Path

LIST = Path("/usr/share/publicsuffix/public_suffix_list.dat")
FEW = frozenset(
    """
    ac.uk co.uk gov.uk ltd.uk me.uk net.uk nhs.uk org.uk plc.uk police.uk sch.uk com.au com.br co.in co.jp co.kr co.nz
    co.za com.cn com.mx com.tr amazonaws.com appspot.com azurewebsites.net blogspot.com cloudapp.net cloudfront.net
    elb.amazonaws.com s3.amazonaws.com fastly.net firebaseapp.com github.io gitlab.io herokuapp.com myshopify.com
    netlify.app pages.dev vercel.app web.app workers.dev wordpress.com
    """.split()  # noqa: SIM905 (forty lines as a list)
)


class PublicSuffixes:
    """`in` takes a name in its one spelling: lower case, A-labels. A name without a dot is always one."""

    def __init__(self, path: Path | None = None) -> None:
        try:
            lines = (path or LIST).read_text("utf-8").splitlines()
        except OSError:
            lines = []
        self.whole = bool(lines)
        self._rules = FEW.union(_a_labels(line.split()[0]) for line in lines if line and not line.startswith("//"))

    def __contains__(self, name: str) -> bool:
        """By the algorithm of publicsuffix.org/list: some rule is the name, or has `*` for its first label."""
        parent = name.partition(".")[2]
        if not parent or name in self._rules:
            return True
        return f"*.{parent}" in self._rules and f"!{name}" not in self._rules


def _a_labels(rule: str) -> str:
    """RFC 3490; the list is in UTF-8."""
    return rule if rule.isascii() else rule.encode("idna").decode()

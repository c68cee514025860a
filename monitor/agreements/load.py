"""A rules folder in, the RuleBook out, or a RuleError with every fault of every file, one a line.

Nothing is half loaded: one fault anywhere and there is no book.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.agreements.book import ALWAYS_NS, RuleBook
from monitor.agreements.models import Network, Partner
from monitor.agreements.prefixes import Prefixes
from monitor.errors import RuleError
from monitor.written.document import Document, Remark, quoted
from monitor.written.language import typed

if TYPE_CHECKING:
    from monitor.subscribers.feed import Terms as FeedTerms
    from monitor.subscribers.sessions import Report

NETWORK = "network.yaml"
SUFFIXES = (".yaml", ".yml")
ALMOST_NETWORK = ("network.yml", "network.yaml")  # in small letters
MOST_OCTETS = 1 << 20  # of one file: a thousand times what a partner needs
_OPTED_OUT = re.compile(rb"\+?([0-9]{7,15})|([0-9a-f]{32})")


def load(folder: str | Path) -> RuleBook:
    """Reads and validates network.yaml, the partners' files beside it and the opt-out list."""
    folder = Path(folder)
    remarks: list[Remark] = []
    octets = dict(_read(_rule_files(folder, remarks), remarks))
    documents = {path.name: Document(str(path), read) for path, read in octets.items()}
    described = documents.pop(NETWORK, None)
    network = None if described is None else typed(Network, described)
    files = list(_partners(documents, network))
    opted_out = None if network is None else _opted_out(folder, network, remarks)
    feed = None if network is None else _feed(folder, network, remarks)
    for document in filter(None, (described, *documents.values())):
        remarks += sorted(document.faults, key=lambda fault: fault.mark or (0, 0))
    if described is None or network is None or remarks:
        raise RuleError("\n".join(map(str, remarks)))
    return RuleBook((described, network), files, opted_out, _sha256(octets), feed)


def _rule_files(folder: Path, remarks: list[Remark]) -> list[Path]:
    what = f"the rules are a folder with {NETWORK} and a file for each partner"
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        raise RuleError(f"{folder}: no such folder; {what}") from None
    except NotADirectoryError:
        raise RuleError(f"{folder}: is a file; give the folder that it lies in; {what}") from None
    except OSError as error:
        raise RuleError(f"{folder}: cannot be read: {error.strerror}; mend its permissions") from None
    if folder / NETWORK not in entries:
        other = next((path for path in entries if path.name.lower() in ALMOST_NETWORK), None)
        remedy = "it describes the operator: copy the example's" if other is None else f"rename {other.name} to it"
        remarks.append(Remark(str(folder / NETWORK), None, "", f"is missing; {remedy}"))
        entries = [path for path in entries if path != other]
    return [path for path in entries if path.suffix in SUFFIXES and not path.name.startswith(".")]


def _read(paths: list[Path], remarks: list[Remark]) -> Iterator[tuple[Path, bytes]]:
    for path in paths:
        try:
            status = path.stat()
            if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode) or stat.S_ISCHR(status.st_mode):
                fault = "is no file of text; move it"  # and reading it might never end
            elif path.suffix in SUFFIXES and status.st_size > MOST_OCTETS:
                fault = f"has {status.st_size:,} bytes, a rule file at most {MOST_OCTETS:,}; split it"
            else:
                yield path, path.read_bytes()
                continue
        except OSError as error:
            fault = f"cannot be read: {error.strerror}; mend its permissions or move it"
        remarks.append(Remark(str(path), None, "", fault))


def _partners(documents: dict[str, Document], network: Network | None) -> Iterator[tuple[Document, Partner]]:
    owners: dict[str, str] = {}
    for name, document in documents.items():
        partner = typed(Partner, document, context=network)
        if partner is None:
            continue
        owner = owners.setdefault(partner.partner, name)
        if owner != name:
            twice = f"{quoted(partner.partner)} is the partner of {owner} too; choose another"
            document.faults.append(document.remark(("partner",), twice))
        yield document, partner


def _opted_out(folder: Path, network: Network, remarks: list[Remark]) -> frozenset[str] | None:
    """Numbers and tokens of those who opted out; None when there is no list."""
    path = folder / (network.opt_out_list or "")
    try:
        if network.opt_out_list is None or not path.exists():
            return None
    except OSError:
        pass  # a name that no file can have, say: reading it tells why
    listed = set()
    for _, octets in _read([path], remarks):
        for line, text in enumerate(octets.splitlines(), 1):
            entry = text.partition(b"#")[0].strip()
            if found := _OPTED_OUT.fullmatch(entry):
                listed.add((found[1] or found[2]).decode())
            elif entry:
                remedy = "write a number (7 to 15 digits with the country code) or a token (32 hexadecimal digits)"
                remarks.append(Remark(str(path), (line, 1), "", f"is neither a number nor a token; {remedy}"))
    return frozenset(listed)


def _feed(folder: Path, network: Network, remarks: list[Remark]) -> FeedTerms | None:
    said = network.subscriber_feed
    if said is None:
        return None
    from monitor.subscribers.feed import Terms as FeedTerms  # late: many operators have none
    from monitor.subscribers.radius import Numbering

    sources = Prefixes((each, "gateway") for each in said.radius_from)
    return FeedTerms(
        ports=frozenset(said.radius_ports),
        believed=sources.get,
        secret=_secret(folder / said.radius_secret, remarks) if said.radius_secret else None,
        tunnels=frozenset(map(str, network.tunnels_before_gateway)),
        numbering=Numbering(network.country, network.trunk_prefix or ""),
        longest_ns=said.longest_session * 10**9,
        silence_ns=(said.silence * 10**9) if said.radius_ports else ALWAYS_NS[1],
        reports=_sessions(folder / said.file, remarks) if said.file else (),
    )


def _sessions(path: Path, remarks: list[Remark]) -> tuple[Report, ...]:
    from monitor.subscribers import table  # late: most operators have no such file

    reports: list[Report] = []
    for _, octets in _read([path], remarks):
        reports, faults = table.read(octets.decode("utf-8", "replace"), path.name)
        remarks += [Remark(str(path), (line, 1), "", message) for line, message in faults]
    return tuple(reports)


def _secret(path: Path, remarks: list[Remark]) -> bytes | None:
    """A shared secret as the gateways have it: the file's first line."""
    for _, octets in _read([path], remarks):
        secret = octets.partition(b"\n")[0].strip()
        if not secret:
            remarks.append(Remark(str(path), None, "", "is empty; write the secret that your gateways share"))
        elif stat.S_IMODE(path.stat().st_mode) & 0o077:
            remarks.append(Remark(str(path), None, "", f"others may read it; run `chmod 600 {path.name}`"))
        return secret
    return None


def _sha256(octets: dict[Path, bytes]) -> str:
    """Of names and contents of the YAML files; not of the opt-out list, whose few numbers a hash would give away."""
    total = hashlib.sha256()
    for path, read in octets.items():
        total.update(f"{path.name}\0{len(read)}\0".encode() + read)
    return total.hexdigest()

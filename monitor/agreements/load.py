"""A rules folder in, the RuleBook out, or a RuleError with every fault of every file, one a line.

Nothing is half loaded: one fault anywhere and there is no book.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from monitor.agreements.book import RuleBook
from monitor.agreements.models import Network, Partner
from monitor.errors import RuleError
from monitor.written.document import Document, Remark, quoted
from monitor.written.language import typed

NETWORK = "network.yaml"
SUFFIXES = (".yaml", ".yml")
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
    for document in filter(None, (described, *documents.values())):
        remarks += sorted(document.faults, key=lambda fault: fault.mark or (0, 0))
    if described is None or network is None or remarks:
        raise RuleError("\n".join(map(str, remarks)))
    return RuleBook((described, network), files, opted_out, _sha256(octets))


def _rule_files(folder: Path, remarks: list[Remark]) -> list[Path]:
    if not folder.is_dir():
        fault = "is a file; give the folder that it lies in" if folder.exists() else "no such folder"
        raise RuleError(f"{folder}: {fault}; the rules are a folder with {NETWORK} and a file for each partner")
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise RuleError(f"{folder}: cannot be read: {error.strerror}; mend its permissions") from None
    if folder / NETWORK not in entries:
        missing = "is missing; it describes the operator: copy the example's"
        remarks.append(Remark(str(folder / NETWORK), None, "", missing))
    return [path for path in entries if path.suffix in SUFFIXES and not path.name.startswith(".")]


def _read(paths: list[Path], remarks: list[Remark]) -> Iterator[tuple[Path, bytes]]:
    for path in paths:
        try:
            yield path, path.read_bytes()
        except OSError as error:
            unreadable = f"cannot be read: {error.strerror}; mend its permissions or move it"
            remarks.append(Remark(str(path), None, "", unreadable))


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
    if network.opt_out_list is None or not path.exists():
        return None
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


def _sha256(octets: dict[Path, bytes]) -> str:
    """Of names and contents of the YAML files; not of the opt-out list, whose few numbers a hash would give away."""
    total = hashlib.sha256()
    for path, read in octets.items():
        total.update(f"{path.name}\0{len(read)}\0".encode() + read)
    return total.hexdigest()

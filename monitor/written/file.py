"""One file in, its model out, or a ConfigError with every fault of it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from monitor.errors import ConfigError
from monitor.written.document import Document
from monitor.written.language import Model, typed

M = TypeVar("M", bound=Model)


def read(model: type[M], path: Path) -> M:
    """Raises ConfigError: what is wrong with the file, one fault a line, as file:line:column."""
    try:
        document = Document(str(path), path.read_bytes())
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}; mend its permissions or name another") from None
    found = typed(model, document)
    if found is None:
        faults = sorted(document.faults, key=lambda fault: fault.mark or (0, 0))
        raise ConfigError("\n".join(map(str, faults)))
    return found

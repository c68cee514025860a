"""The text of one file in, a tree of strings out, with the line and column of every key and value.

Every scalar stays a string until the model types it: YAML would turn `+4477...` into a number and `no` into false. What
makes a file mean something else than a reader sees is a fault: a key that stands twice, tags, anchors and aliases. So
the tree is built from the parser's own steps, where they can still be told apart, and an alias bomb costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from monitor.redact import mask_path, mask_text

UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # its byte order marks
DEEPEST = 8  # levels; the language itself has four
MOST_FAULTS = 100  # of the YAML itself, after which nobody reads on
MOST_VALUES = 30_000  # of one file: 400 kB as partners are written, and 60 kB of a list in brackets
PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast, where it is installed
Tree = str | list["Tree"] | dict[str, "Tree"]
Path = tuple[str | int, ...]
Mark = tuple[int, int]  # line and column, counted from 1
# what has many digits, is no number, and must be read to be mended: dates and IPv4 networks
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_YEAR, _OF_YEAR = "(?:19|20)[0-9]{2}", "[0-9]{1,2}"
_NO_NUMBER = re.compile(
    rf"(?<![0-9.])((?:{_OCTET}\.){{3}}{_OCTET}(?:/[0-9]{{1,2}})?"
    rf"|{_YEAR}([-./]){_OF_YEAR}\2{_OF_YEAR}|{_OF_YEAR}([-./]){_OF_YEAR}\3{_YEAR})(?![0-9.])"
)


class Remark(NamedTuple):
    """One thing to mend, or to think about, in a file."""

    file: str
    mark: Mark | None  # None: the file as a whole
    path: str  # `grants[0].hosts[1]`
    message: str

    def __str__(self) -> str:
        place = ":".join(map(str, (mask_path(self.file), *(self.mark or ()))))
        return ": ".join(filter(None, (place, self.path, self.message)))


def quoted(text: str) -> str:
    """What a file says, short enough for a message; a number that may stand in it is masked."""
    start, shown = 0, ""
    for harmless in _NO_NUMBER.finditer(text):
        shown += mask_text(text[start : harmless.start()]) + harmless[0]
        start = harmless.end()
    text = shown + mask_text(text[start:])
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"`{text if text.isprintable() else ascii(text)[1:-1]}`"


class Document:
    """One file. `tree` is None and `faults` says why when it is no mapping of YAML at all."""

    def __init__(self, file: str, octets: bytes) -> None:
        self.file = file
        self.tree: dict[str, Tree] | None = None
        self.faults: list[Remark] = []
        self.values: dict[Path, Mark] = {(): (1, 1)}
        self.keys: dict[Path, Mark] = {}
        self.text = ""
        if octets[:2] in UTF_16 or b"\0" in octets[:4]:
            self._fault((1, 1), (), "is UTF-16; save as UTF-8")
            return
        try:
            self.text = octets.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            read = octets[: error.start].decode("utf-8")
            self._fault(_mark_at(read, len(read)), (), f"byte 0x{octets[error.start]:02x} is not UTF-8; save as UTF-8")
            return
        self._read()

    def remark(self, path: Path, message: str, *, at_key: bool = False) -> Remark:
        """`message` about what stands at `path`, or about the nearest thing around it that does stand there."""
        marks, place = self.keys if at_key else self.values, path
        while place not in marks:
            marks, place = self.values, place[:-1]
        return Remark(self.file, marks[place], _spelled(path), message)

    def _read(self) -> None:
        try:
            steps = yaml.parse(self.text, Loader=PARSER)
            roots = (step for step in steps if isinstance(step, yaml.NodeEvent))
            root = next(roots, None)
            tree = None if root is None else self._value(root, (), steps)
            second = next(roots, None)
        except yaml.MarkedYAMLError as error:
            self._fault(*_not_yaml(error, self.text))
        except yaml.reader.ReaderError as error:
            self._fault(_mark_at(self.text, error.position), (), f"control character {error.character:#04x}; delete it")
        except _Stop as stop:
            self._fault(stop.mark, (), stop.message)
        else:
            if second is not None:
                self._fault(_mark(second.start_mark), (), "a second document begins here (`---`); make a file of it")
            elif isinstance(tree, dict):
                self.tree = tree
            else:
                self._fault((1, 1), (), "`key: value` lines are expected here; copy one of the examples")

    def _value(self, step: Any, path: Path, steps: Iterator[Any]) -> Tree:
        mark = self.values[path] = _mark(step.start_mark)
        if len(path) > DEEPEST:
            raise _Stop(mark, "nested too deeply; close the brackets above")
        if len(self.values) > MOST_VALUES:
            raise _Stop(mark, f"more than {MOST_VALUES:,} values; make several files of it")
        if type(step) is yaml.AliasEvent:
            self._refuse(
                mark, path, f"{quoted(f'*{step.anchor}')} is a YAML alias; write the value, a wildcard in quotes"
            )
            return ""
        if step.anchor is not None:
            self._refuse(mark, path, f"{quoted(f'&{step.anchor}')} is a YAML anchor; leave it out")
        if step.tag is not None:
            self._refuse(mark, path, f"{quoted(step.tag)} is a YAML tag; leave it out")
        if type(step) is yaml.ScalarEvent:
            if not step.value and step.implicit[0]:
                self._refuse(mark, path, "no value; write one or leave the key out")
            return str(step.value)
        if type(step) is yaml.SequenceStartEvent:
            return self._list(path, steps)
        return self._mapping(path, steps)

    def _list(self, path: Path, steps: Iterator[Any]) -> list[Tree]:
        values: list[Tree] = []
        for step in steps:
            if type(step) is yaml.SequenceEndEvent:
                break
            values.append(self._value(step, (*path, len(values)), steps))
        return values

    def _mapping(self, path: Path, steps: Iterator[Any]) -> dict[str, Tree]:
        values: dict[str, Tree] = {}
        for step in steps:
            if type(step) is yaml.MappingEndEvent:
                break
            mark = _mark(step.start_mark)
            if type(step) is not yaml.ScalarEvent or step.tag or step.anchor:
                self._refuse(mark, path, "a key must be a word: no list, mapping, tag, anchor or alias")
                _skip(step, steps)
                _skip(next(steps), steps)
            elif first := self.keys.get((*path, step.value)):
                self._refuse(mark, (*path, step.value), f"stands twice, first in line {first[0]}; keep one")
                _skip(next(steps), steps)
            else:
                place = (*path, step.value)
                self.keys[place] = mark
                values[step.value] = self._value(next(steps), place, steps)
        return values

    def _refuse(self, mark: Mark, path: Path, message: str) -> None:
        """A fault after which the file is read on, up to a bound: wording each takes its time."""
        self._fault(mark, path, message)
        if len(self.faults) == MOST_FAULTS:
            raise _Stop(mark, f"the rest is not read; mend the {MOST_FAULTS} faults above first")

    def _fault(self, mark: Mark, path: Path, message: str) -> None:
        self.faults.append(Remark(self.file, mark, _spelled(path), message))


class _Stop(Exception):
    """What follows is not read, and why."""

    def __init__(self, mark: Mark, message: str) -> None:
        self.mark, self.message = mark, message


def _skip(step: Any, steps: Iterator[Any]) -> None:
    depth = 0
    while depth := depth + isinstance(step, yaml.CollectionStartEvent) - isinstance(step, yaml.CollectionEndEvent):
        step = next(steps)


def _mark(mark: Any) -> Mark:
    return (mark.line + 1, mark.column + 1)


def _mark_at(text: str, index: int) -> Mark:
    return (text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def _spelled(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{quoted(step)[1:-1]}" for step in path)
    return "".join(steps).removeprefix(".")


def _not_yaml(error: yaml.MarkedYAMLError, text: str) -> tuple[Mark, Path, str]:
    """Where and why the YAML ends, in words for people who do not program, and the same for both parsers."""
    at, context, problem = error.problem_mark, error.context or "", error.problem or ""
    assert at is not None  # both parsers always say where
    opened = at if error.context_mark is None else error.context_mark
    character = text[at.index : at.index + 1]
    if "alias" in context or "anchor" in context:
        return _mark(opened), (), "`*` and `&` mean something else in YAML; put the value in quotes"
    if "quoted scalar" in context:
        return _mark(opened), (), "this quote is never closed; close it"
    if "flow" in context:
        return _mark(opened), (), "this bracket is not closed, or a comma is missing after it"
    if "mapping values" in problem:
        return _mark(at), (), "a second `: ` in one value, or a wrong indentation; put the value in quotes or align it"
    if character == "\t":
        return _mark(at), (), "a tab; indent with spaces"
    if "cannot start" in problem:
        return _mark(at), (), f"no value may begin with {quoted(character)}; put it in quotes"
    return (
        _mark(at),
        (),
        "this is no YAML; look at colons, quotes, brackets and indentation, here and in the line before",
    )

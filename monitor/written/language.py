"""A tree of strings in, typed models out: what a language is made of, and every fault in words to act on.

A kind reads one value and says its part of the JSON Schema. A model is a class whose attributes are made by `key`: the
keys of the file, what they are for, and the kind of their values. Nothing stops at the first fault: each is noted in
the Document, with line and column, and the reading goes on. (docs/decisions/0004-rules-without-pydantic.md)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from monitor.written.document import Document, Path, Tree, quoted

M = TypeVar("M", bound="Model")
ALIKE = 0.75  # of difflib: `Name` is meant to be `name`, but `country` is not a misspelt `contract`
ONE_VALUE = "one value is expected here, not a list or a mapping; write it behind the colon"
Schema = dict[str, Any]


class Wrong:
    """Stands for a value that could not be read; why is noted."""


WRONG = Wrong()


class Reading:
    """One document while it is read; `context` is what names are looked up in (None: not checked)."""

    def __init__(self, document: Document, context: object) -> None:
        self.context = context
        self._document = document
        self._known = {remark.path for remark in document.faults}  # what is no sound YAML has been said already

    def fault(self, path: Path, message: str, *, at_key: bool = False) -> Wrong:
        remark = self._document.remark(path, message, at_key=at_key)
        if remark.path not in self._known:
            self._document.faults.append(remark)
        return WRONG


class Kind(Protocol):
    def read(self, tree: Tree, path: Path, reading: Reading) -> Any:
        """The value, or WRONG after a fault was noted."""
        ...

    def schema(self, models: dict[str, Schema]) -> Schema:
        """For editors; models that it needs are entered in `models`."""
        ...


class Scalar:
    """One string; `parse` raises ValueError with what to write instead."""

    def __init__(self, parse: Callable[[str], Any], kind: str | list[str] = "string", **more: Any) -> None:
        self._parse = parse
        self._schema: Schema = {"type": kind} | more

    def read(self, tree: Tree, path: Path, reading: Reading) -> Any:
        if not isinstance(tree, str):
            return reading.fault(path, ONE_VALUE)
        try:
            return self._parse(tree)
        except ValueError as error:
            return reading.fault(path, str(error))

    def schema(self, models: dict[str, Schema]) -> Schema:  # noqa: ARG002 - a Kind
        return self._schema


class Named(Scalar):
    """A name that the context lists under `key`."""

    def __init__(self, key: str, unlike: Callable[[str, Any], ValueError]) -> None:
        super().__init__(str)
        self._key, self._unlike = key, unlike

    def read(self, tree: Tree, path: Path, reading: Reading) -> Any:
        name = super().read(tree, path, reading)
        if name is WRONG or reading.context is None or name in (names := getattr(reading.context, self._key)):
            return name
        return reading.fault(path, str(self._unlike(name, names)))


class Some:
    """A list."""

    def __init__(self, kind: Kind, fewest: int = 1) -> None:
        self._kind, self.fewest = kind, fewest

    def read(self, tree: Tree, path: Path, reading: Reading) -> Any:
        if isinstance(tree, str):
            return reading.fault(path, f"a list is expected here; write it in brackets: {quoted('[' + tree + ']')}")
        if not isinstance(tree, list):
            return reading.fault(path, "a list is expected here; begin each entry with `- `")
        read = self._kind.read
        found = tuple([read(entry, (*path, index), reading) for index, entry in enumerate(tree)])
        return WRONG if WRONG in found else found

    def schema(self, models: dict[str, Schema]) -> Schema:
        return {"type": "array", "items": self._kind.schema(models), "minItems": self.fewest}


class ByName:
    """A mapping whose keys the file invents. `check` says what clashes in the whole of it, or nothing."""

    def __init__(
        self, name: Kind, kind: Kind, fewest: int = 0, check: Callable[[Mapping[str, Any]], str | None] = lambda _: None
    ) -> None:
        self._name, self._kind, self.fewest, self._check = name, kind, fewest, check

    def read(self, tree: Tree, path: Path, reading: Reading) -> Any:
        if not isinstance(tree, dict):
            return reading.fault(path, "`key: value` lines are expected here")
        found = {}
        for name, entry in tree.items():
            place = (*path, name)
            found[name] = WRONG if self._wrong(name, place, reading) else self._kind.read(entry, place, reading)
        if any(value is WRONG for value in found.values()):
            return WRONG
        clash = self._check(found)
        return found if clash is None else reading.fault(path, clash)

    def _wrong(self, name: str, path: Path, reading: Reading) -> bool:
        return self._name.read(name, path, _AtKey(reading)) is WRONG

    def schema(self, models: dict[str, Schema]) -> Schema:
        return {
            "type": "object",
            "propertyNames": self._name.schema(models),
            "additionalProperties": self._kind.schema(models),
            "minProperties": self.fewest,
        }


class _AtKey(Reading):
    """The same reading, where a key is read and not the value behind it."""

    def __init__(self, reading: Reading) -> None:
        self.context = reading.context
        self._reading = reading

    def fault(self, path: Path, message: str, *, at_key: bool = False) -> Wrong:  # noqa: ARG002 - always there
        return self._reading.fault(path, message, at_key=True)


class Entry:
    """A mapping with the keys of a model."""

    def __init__(self, model: type[Model]) -> None:
        self._model = model

    def read(self, tree: Tree, path: Path, reading: Reading) -> Any:
        if not isinstance(tree, dict):
            return reading.fault(path, "`key: value` lines are expected here")
        keys = self._model.language
        found: dict[str, Any] = {}
        meant = {_near(name, keys) for name in tree if name not in keys}
        for name, key in keys.items():
            if name in tree:
                found[name] = _read(key, tree[name], (*path, name), reading)
            elif key.required and name not in meant:
                found[name] = reading.fault((*path, name), f"is missing: {key.purpose}")
        for name in (name for name in tree if name not in keys):
            near = _near(name, keys)
            known = f"did you mean `{near}`?" if near else f"known are {', '.join(keys)}"
            reading.fault((*path, name), f"unknown key; {known}", at_key=True)
        if any(value is WRONG for value in found.values()) or len(found.keys() & tree.keys()) < len(tree):
            return WRONG
        if (clash := self._model.clash(found)) is not None:
            name, message = clash
            return reading.fault((*path, name), message)
        return self._model(**found)

    def schema(self, models: dict[str, Schema]) -> Schema:
        name = self._model.__name__
        if name not in models:
            models[name] = {}  # a model that holds itself would go round for ever
            models[name] = _schema_of(self._model, models)
        return {"$ref": f"#/$defs/{name}"}


class Key(NamedTuple):
    kind: Kind
    purpose: str
    required: bool
    default: Any


def key(kind: Kind, purpose: str, **default: Any) -> Any:
    """An attribute of a model: a key of the file. It is required unless it has a `default`."""
    return Key(kind, purpose, not default, default.get("default"))


class Model:
    """What the file says at its keys, and the defaults of those that it leaves out."""

    language: ClassVar[dict[str, Key]]

    def __init_subclass__(cls) -> None:
        cls.language = {name: each for name, each in vars(cls).items() if isinstance(each, Key)}

    def __init__(self, **said: Any) -> None:
        self.__dict__.update({name: key.default for name, key in self.language.items()} | said)

    @classmethod
    def clash(cls, said: Mapping[str, Any]) -> tuple[str, str] | None:  # noqa: ARG003 - for models that have one
        """The key at fault, and why; None where the values go together."""
        return None


def typed(model: type[M], document: Document, context: object = None) -> M | None:
    """The file as `model`; None when it has faults, and then they are in `document.faults`."""
    if document.tree is None:
        return None
    found = Entry(model).read(document.tree, (), Reading(document, context))
    return None if found is WRONG else found


def _read(key: Key, tree: Tree, path: Path, reading: Reading) -> Any:
    kind = key.kind
    if (tree == [] and isinstance(kind, Some) and kind.fewest) or (
        tree == {} and isinstance(kind, ByName) and kind.fewest
    ):
        remedy = "" if key.required else ", or leave the key out"
        return reading.fault(path, f"nothing in it; name at least one{remedy}")
    return kind.read(tree, path, reading)


def _near(name: str, keys: Mapping[str, Key]) -> str | None:
    """The key that was meant by an unknown one."""
    from difflib import get_close_matches  # late: only for who misspelt something

    return next(iter(get_close_matches(name, keys, 1, ALIKE)), None)


def _schema_of(model: type[Model], models: dict[str, Schema]) -> Schema:
    keys = model.language
    properties = {}
    for name, key in keys.items():
        default = {} if key.default in (None, (), {}) else {"default": key.default}
        properties[name] = key.kind.schema(models) | {"description": key.purpose} | default
    return {
        "type": "object",
        "description": (model.__doc__ or "").strip(),
        "properties": properties,
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }

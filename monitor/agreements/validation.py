"""A document and a model in, the typed rule file out, or remarks on what is wrong that a person can act on."""

from __future__ import annotations

import difflib
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from monitor.agreements.document import Document, Path, quoted

M = TypeVar("M", bound=BaseModel)
ALIKE = 0.75  # of difflib: `Name` is meant to be `name`, but `country` is not a misspelt `contract`
KEY = "[key]"  # how pydantic marks that the key of a mapping is wrong, not its value


def validated(model: type[M], document: Document, context: object = None) -> M | None:
    """The rule file as `model`; None when it has faults, and then they are in `document.faults`."""
    if document.tree is None:
        return None
    try:
        return model.model_validate(document.tree, context=context)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    wrong = {fault["loc"] for fault in faults}
    meant = {(*fault["loc"][:-1], _near(model, fault["loc"])) for fault in faults if fault["type"] == "extra_forbidden"}
    known = {remark.path for remark in document.faults}
    for fault in faults:
        path, kind = fault["loc"], fault["type"]
        if kind == "too_short" and any(other[: len(path)] == path for other in wrong - {path}):
            continue  # it is not empty, its entries are wrong
        if kind == "missing" and path in meant:
            continue  # it is there, but misspelt
        at_key = kind == "extra_forbidden" or path[-1] == KEY
        path = path[:-1] if path[-1] == KEY else path
        remark = document.remark(path, _said(model, path, fault), at_key=at_key)
        if remark.path not in known:
            document.faults.append(remark)
    return None


def _said(model: type[BaseModel], path: Path, fault: Any) -> str:
    fields, key = _model_at(model, path[:-1]).model_fields, str(path[-1])
    match fault["type"]:
        case "value_error":
            return str(fault["ctx"]["error"])
        case "missing":
            return f"is missing: {fields[key].description}"
        case "extra_forbidden":
            near = _near(model, path)
            return f"unknown key; did you mean `{near}`?" if near else f"unknown key; known are {', '.join(fields)}"
        case "too_short":
            return "nothing in it; name at least one" + ("" if fields[key].is_required() else ", or leave the key out")
        case "tuple_type" if isinstance(fault["input"], str):
            return f"a list is expected here; write it in brackets: {quoted('[' + fault['input'] + ']')}"
        case "tuple_type":
            return "a list is expected here; begin each entry with `- `"
        case _:  # model_type, dict_type
            return "`key: value` lines are expected here"


def _near(model: type[BaseModel], path: Path) -> str | None:
    """The key that was meant by the unknown one at `path`."""
    known = _model_at(model, path[:-1]).model_fields
    return next(iter(difflib.get_close_matches(str(path[-1]), known, 1, ALIKE)), None)


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    for step in path:
        if isinstance(step, str) and step in model.model_fields:
            model = _model_in(model.model_fields[step].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in `tuple[Grant, ...]`, `dict[str, Purpose]` or `Request | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)

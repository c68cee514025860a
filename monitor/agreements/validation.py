"""A document and a model in, the typed rule file out, or remarks on what is wrong that a person can act on."""

from __future__ import annotations

import difflib
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from monitor.agreements.document import Document, Path, quoted

M = TypeVar("M", bound=BaseModel)
KEY = "[key]"  # how pydantic marks that the key of a mapping is wrong, not its value


def validated(model: type[M], document: Document, context: object = None) -> M | None:
    """The rule file as `model`; None when it has faults, and then they are in `document.faults`."""
    try:
        return model.model_validate(document.tree, context=context)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=True)
    wrong = [fault["loc"] for fault in faults]
    known = {fault.path for fault in document.faults}
    for fault in faults:
        path, kind = fault["loc"], fault["type"]
        if kind == "too_short" and any(other[: len(path)] == path for other in wrong if other != path):
            continue  # its entries are wrong, it is not empty
        at_key = kind == "extra_forbidden" or path[-1:] == (KEY,)
        path = path[:-1] if path[-1:] == (KEY,) else path
        remark = document.remark(path, _said(model, path, kind, fault), at_key=at_key)
        if remark.path not in known:
            document.faults.append(remark)
    return None


def _said(model: type[BaseModel], path: Path, kind: str, fault: Any) -> str:
    around = _model_at(model, path[:-1])
    if kind == "value_error":
        return str(fault["ctx"]["error"])
    if kind == "missing":
        return f"is missing: {around.model_fields[str(path[-1])].description}"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), around.model_fields, 1)
        return (
            f"unknown key; did you mean `{near[0]}`?"
            if near
            else f"unknown key; known are {', '.join(around.model_fields)}"
        )
    if kind == "too_short":
        return "nothing in it; name at least one, or leave the key out if it need not be there"
    if kind == "tuple_type" and isinstance(fault["input"], str):
        return f"a list is expected here; write it in brackets: {quoted('[' + fault['input'] + ']')}"
    if kind == "tuple_type":
        return "a list is expected here; begin each entry with `- `"
    return "`key: value` lines are expected here"  # model_type, dict_type


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

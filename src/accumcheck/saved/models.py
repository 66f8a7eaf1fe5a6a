"""Records as pydantic models, which check saved JSON and describe it."""

from __future__ import annotations

import re
import types
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    PlainValidator,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from accumcheck.record import Split
from accumcheck.record.in_json import Always, AtLeast, Keys, Label, OneOf
from accumcheck.saved.entries import description, entries
from accumcheck.saved.write import NOT_FINITE

MOST = 2**63 - 1
"""The largest whole number in a report."""
_LABEL = "[1-9][0-9]*x[1-9][0-9]*x[1-9][0-9]*"
_LONGEST_LABEL = 64
_MOST_KEYS = 10_000


class Saved(BaseModel):
    """The base of all models. ``record``: the class that a model is converted to."""

    record: ClassVar[Any]
    # unknown keys are ignored: later versions add some
    model_config = ConfigDict(
        strict=True, extra="ignore", json_schema_serialization_defaults_required=True, protected_namespaces=()
    )


def _number(value: Any) -> float:
    if isinstance(value, str) and value in NOT_FINITE:
        return NOT_FINITE[value]
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        pass
    raise PydanticCustomError("number", "a number, or one of the strings NaN, Infinity and -Infinity")


def _few(value: Any) -> Any:
    """Refuse a mapping with very many keys before an error is made for each."""
    if isinstance(value, dict) and len(value) > _MOST_KEYS:
        raise PydanticCustomError("many", "at most {most} keys", {"most": _MOST_KEYS})
    return value


def _label(value: Any) -> str:
    if isinstance(value, str) and len(value) <= _LONGEST_LABEL and re.fullmatch(_LABEL, value):
        return value
    raise PydanticCustomError("label", "a split, n x b x k, such as 4x16x2")


Number = TypeAliasType(
    "Number",
    Annotated[
        float,
        PlainValidator(_number),
        WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": [*NOT_FINITE]}]}),
    ],
)
SplitLabel = TypeAliasType(
    "SplitLabel", Annotated[str, PlainValidator(_label), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL}$"})]
)


@cache
def model_of(record: Any) -> type[Saved]:
    """The model of a record.

    Args:
        record: a dataclass, or a generic one with its types.
    """
    kind = get_origin(record) or record
    # a record's type gives its model's name, which the schema shows
    name = "Of".join([kind.__name__, *(_name(one) for one in get_args(record))])
    fields: dict[str, Any] = {}
    for entry in entries(record):
        about: dict[str, Any] = {"description": entry.description} if entry.description else {}
        if entry.default is not None:
            about["default_factory"] = entry.default
        fields[entry.key] = (checked(entry.annotation), Field(**about))
    model = create_model(name, __base__=Saved, __doc__=description(record), **fields)
    model.record = record
    return model


def checked(annotation: Any) -> Any:
    """The type for pydantic, from the type of a record's field: numbers that may be infinite or NaN, lists, labels.

    Raises:
        TypeError: fields of saved records must not have this type.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is float:
        return Number
    if annotation is int:
        return Annotated[int, Field(ge=-MOST, le=MOST)]
    if annotation is Split:
        return SplitLabel
    if annotation in (bool, str, Any, types.NoneType) or origin is Literal:
        return annotation
    if origin is Annotated:
        return reduce(_marked, annotation.__metadata__, arguments[0])
    if origin in (Union, types.UnionType):
        return reduce(or_, map(checked, arguments))
    if origin is list or (origin is tuple and arguments[1:] == (...,)):
        return Annotated[list[checked(arguments[0])], FailFast()]  # type: ignore[misc]
    if origin is dict and arguments[1] is Any:
        return dict[str, Any]
    if origin is dict:
        return Annotated[dict[str, checked(arguments[1])], BeforeValidator(_few)]  # type: ignore[misc]
    if hasattr(origin or annotation, "__dataclass_fields__"):
        return model_of(annotation)
    raise TypeError(f"{annotation} cannot be saved")


def _marked(annotation: Any, mark: Any) -> Any:
    if isinstance(mark, AtLeast):
        return Annotated[int, Field(ge=mark.least, le=MOST), WithJsonSchema({"type": "integer", "minimum": mark.least})]
    if isinstance(mark, OneOf):
        return Annotated[int, PlainValidator(_one_of(mark.values)), WithJsonSchema({"enum": [*mark.values]})]
    if isinstance(mark, Always):
        return Annotated[str, WithJsonSchema({"const": mark.value})]
    if isinstance(mark, Label):
        return SplitLabel
    if isinstance(mark, Keys):
        return _keyed(annotation, mark)
    raise TypeError(f"{mark} is unknown")


def _one_of(values: tuple[int, ...]) -> Any:
    def check(value: Any) -> Any:
        if type(value) is int and value in values:
            return value
        allowed = ", ".join(map(str, values[:-1]))
        raise PydanticCustomError("one_of", "{allowed}", {"allowed": f"{allowed} or {values[-1]}"})

    return check


def _keyed(annotation: Any, keys: Keys) -> type[Saved]:
    """The model of a mapping with certain keys; the values are text if the record does not say otherwise."""
    (_, of) = get_args(annotation)
    held = str if of is Any else checked(of)
    fields: dict[str, Any] = {
        key: (held, Field(description=text) if text else Field()) for key, text in keys.descriptions.items()
    }
    model = create_model(keys.name, __base__=Saved, **fields)
    model.record = dict
    return model


def _name(annotation: Any) -> str:
    """A short name of a type, as part of a model's name."""
    if get_origin(annotation) is Literal:
        return "Words"
    if isinstance(annotation, types.UnionType) or get_origin(annotation) is Union:
        return "Or".join(map(_name, get_args(annotation)))
    return str(getattr(annotation, "__name__", annotation)).title().replace("Nonetype", "Nothing")

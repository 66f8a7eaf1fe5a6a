"""How a key is declared: a field of a frozen dataclass, whose annotation carries its bounds and a `Key`.

Checks, JSON Schema, documentation and messages all follow from these declarations. pydantic reads them
(`accumcheck.config.reading`). Nothing here imports it: workers use the dataclasses under other releases' packages.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Interval

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Contradiction = tuple[tuple[str, ...], str]
Located = Literal["", "file", "directory", "function"]


class Section:
    """The base of every mapping with known keys: a frozen dataclass."""

    __slots__ = ()
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic's name for a dataclass's settings

    def contradictions(self) -> list[Contradiction]:
        """What is wrong with these keys together: the keys, or none for the section as a whole, and the message."""
        return []


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one key besides its type, its bounds and its default.

    Attributes:
        meaning: one line for the documentation: what it is, its unit, and what the default means.
        expected: what is allowed, in words that follow "expected"; default: from the type. Bounds are added.
        pattern: what a text must match (an expression that ECMAScript, Python and Rust read alike).
        example: what to add where the key is missing, which makes it a required one.
        each: what each element of a list must be, in words that follow "expected".
        auto: the word ``auto`` is allowed, and reads as None.
        derived: the default depends on other keys.
        located: the text names a file, or may name a directory, or a function in a file.
    """

    meaning: str
    expected: str = ""
    pattern: str = r"\S"
    example: str = ""
    each: str = ""
    auto: bool = False
    derived: bool = False
    located: Located = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema: no number is taken for a boolean, no text for a number, and the pattern is checked."""
        from pydantic_core import core_schema

        schema = _strict(handler(source), self.pattern)

        def read_auto(value: Any) -> Any:
            if value is None and self.example:  # a required key is not left empty
                raise expect(self.expected)
            return None if value == "auto" else value

        return core_schema.no_info_before_validator_function(read_auto, schema) if self.auto else schema

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The type's own, with the word ``auto`` where it is allowed."""
        schema = handler(core)
        return {"anyOf": [{"const": "auto"}, *schema.get("anyOf", [schema])]} if self.auto else schema


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words that are known only at run time, or that have other spellings."""

    words: tuple[str, ...]
    spellings: Mapping[str, str] = field(default_factory=dict, hash=False)  # since types are hashed

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """One of the words, after another spelling of one was replaced by it."""
        from pydantic_core import core_schema

        def spell(value: Any) -> Any:
            return self.spellings.get(value, value) if isinstance(value, str) else value

        return core_schema.no_info_before_validator_function(spell, core_schema.literal_schema(list(self.words)))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Every spelling."""
        return {"enum": [*self.words, *self.spellings]}


@dataclass(frozen=True, slots=True)
class Checked:
    """A type whose values are read or checked by functions, which raise what `refuse` and `expect` return.

    Attributes:
        source: the type that is read; default: the annotated one.
        before: makes something that ``source`` reads of what the user gave.
        after: makes the value of what ``source`` read.
        json: makes the JSON Schema of that of ``source``.
    """

    source: Any = None
    before: Callable[[Any], Any] | None = None
    after: Callable[[Any], Any] | None = None
    json: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema between the two functions."""
        from pydantic_core import core_schema

        schema = handler(source) if self.source is None else handler.generate_schema(self.source)
        if self.after is not None:
            schema = core_schema.no_info_after_validator_function(self.after, schema)
        if self.before is not None:
            schema = core_schema.no_info_before_validator_function(self.before, schema)
        return schema

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The type's own, or what is made of it."""
        return handler(core) if self.json is None else self.json(handler(core))


def refuse(message: str, options: tuple[str, ...] = ()) -> Exception:
    """What a function of `Checked` raises: the message is what the user reads after the key's path.

    Args:
        message: why the value is refused.
        options: the names of which the closest is offered.
    """
    from pydantic_core import PydanticCustomError

    return PydanticCustomError("message", "{message}", {"message": message, "options": options})


def expect(words: str, hint: str = "") -> Exception:
    """What a function of `Checked` raises where something else was expected; a hint begins with ``; ``."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError("expected", "{words}", {"words": words, "hint": hint})


def _strict(schema: Any, pattern: str = "") -> Any:
    """The schema with strict numbers and booleans, those in a list too; and a pattern for the text, if it is one."""
    kind = schema["type"]
    if kind in ("int", "float", "bool"):
        return {**schema, "strict": True}
    if kind == "str":
        return {**schema, "strict": True, **({"pattern": pattern} if pattern else {})}
    if kind == "nullable" or kind.startswith("function-"):
        return {**schema, "schema": _strict(schema["schema"], pattern)}
    if kind == "tuple":
        return {**schema, "items_schema": [_strict(item) for item in schema["items_schema"]]}
    return schema


@dataclass(frozen=True, slots=True)
class Declared:
    """One key as it is declared. ``kind`` is the type without None and without what is said of it."""

    name: str
    key: Key
    kind: Any
    default: Any
    nullable: bool
    bounds: Interval | None
    words: tuple[str, ...]
    spellings: tuple[str, ...]

    @property
    def section(self) -> type[Section] | None:
        """The section that the key holds, if it is one."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Section) else None

    @property
    def value_words(self) -> tuple[str, ...]:
        """The words that each value of a mapping may be."""
        values = get_args(self.kind)[1] if get_origin(self.kind) is dict else None
        return get_args(values) if get_origin(values) is Literal else ()


_KEYS: dict[type, dict[str, Declared]] = {}


def keys_of(section: type[Section]) -> dict[str, Declared]:
    """The keys of a section by name, in the order of the dataclass.

    Raises:
        TypeError: a field has no `Key`.
    """
    if section not in _KEYS:
        hints = get_type_hints(section, include_extras=True)
        places = dataclasses.fields(section)  # type: ignore[arg-type]
        _KEYS[section] = {place.name: _declared(place, hints[place.name]) for place in places}
    return _KEYS[section]


def _declared(place: dataclasses.Field[Any], hint: Any) -> Declared:
    kind, said, nullable = plain_type(hint)
    key = next((one for one in said if isinstance(one, Key)), None)
    if key is None:
        raise TypeError(f"{place.name} is declared without a Key")
    choice = next((one for one in said if isinstance(one, OneOf)), None)
    words = choice.words if choice else get_args(kind) if get_origin(kind) is Literal else ()
    default = place.default if place.default_factory is MISSING else place.default_factory()
    bounds = next((one for one in said if isinstance(one, Interval)), None)
    return Declared(place.name, key, kind, default, nullable, bounds, words, tuple(choice.spellings) if choice else ())


def plain_type(hint: Any) -> tuple[Any, list[Any], bool]:
    """A type without None and annotations; what was said of it; whether it may be None."""
    said: list[Any] = []
    nullable = False
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            said += more
        elif get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
            hint = next(one for one in get_args(hint) if one is not type(None))
            nullable = True
        else:
            return hint, said, nullable

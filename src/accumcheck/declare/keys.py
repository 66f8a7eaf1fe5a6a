"""How a key is declared: a field of a frozen dataclass, a type that carries its bounds, and a docstring below it.

Checks, JSON Schema, documentation and messages all follow from these declarations. pydantic reads them
(`accumcheck.config.reading`). Nothing here imports it: workers use the dataclasses under other releases' packages.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Contradiction = tuple[tuple[str, ...], str]
Located = Literal["", "file", "program", "directory", "function"]


class Section:
    """The base of every mapping with known keys: a frozen dataclass."""

    __slots__ = ()
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic's name for a dataclass's settings

    def contradictions(self) -> list[Contradiction]:
        """Errors in the combination of keys: the keys (none for the section as a whole), and the message."""
        return []


# --- what a type may carry --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expected:
    """What is allowed, and what each element of a list must be, as words after "expected"."""

    words: str
    each: str = ""


@dataclass(frozen=True, slots=True)
class Required:
    """The key must be given; ``example`` is what to add."""

    example: str


@dataclass(frozen=True, slots=True)
class Derived:
    """The default depends on other keys."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds, not a boolean or a text; ``noun``: its name in messages, default: a whole number."""

    lowest: float
    highest: float
    noun: str = "a whole number"
    below: bool = False

    @property
    def words(self) -> str:
        """See `Expected`."""
        return f"{self.noun} from {self.lowest} to {self.highest}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema with the bounds; with ``below``, the upper bound itself is excluded."""
        bounds = {"ge": self.lowest, "lt" if self.below else "le": self.highest}
        return {**handler(source), **bounds, "strict": True}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false, not a number or a text."""

    words: str = "true or false"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema, strict."""
        return {**handler(source), "strict": True}


@dataclass(frozen=True, slots=True)
class Text:
    """A text that matches ``pattern``, an expression that means the same in ECMAScript, Python and Rust.

    ``located``: it names a file, a program (in the configuration's folder or the working directory), or may name a
    directory, or a function in a file.
    """

    words: str
    pattern: str = r"\S"
    located: Located = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema with the pattern."""
        return {**handler(source), "pattern": self.pattern, "strict": True}


@dataclass(frozen=True, slots=True)
class Auto:
    """The word ``auto`` is allowed and read as None; if ``null`` is false, None itself is refused."""

    null: bool = True

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema, after replacing the word."""
        from pydantic_core import core_schema

        def read(value: Any) -> Any:
            if value is None and not self.null:
                raise ValueError("nothing")
            return None if value == "auto" else value

        return core_schema.no_info_before_validator_function(read, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The type's own, or the word."""
        schema = handler(core)
        others = [one for one in schema.get("anyOf", [schema]) if self.null or one != {"type": "null"}]
        return {"anyOf": [{"const": "auto"}, *others]}


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words that are known only at run time, or that have other spellings."""

    words: tuple[str, ...]
    spellings: Mapping[str, str] = field(default_factory=dict, hash=False)  # since types are hashed

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """One of the words, after replacing other spellings."""
        from pydantic_core import core_schema

        def spell(value: Any) -> Any:
            if value is False and "off" in self.words:  # as YAML reads the word
                return "off"
            return self.spellings.get(value, value) if isinstance(value, str) else value

        return core_schema.no_info_before_validator_function(spell, core_schema.literal_schema(list(self.words)))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Every spelling."""
        return {"enum": [*self.words, *self.spellings]}


@dataclass(frozen=True, slots=True)
class Checked:
    """A type whose values are read or checked by functions, which raise what `refuse` and `expect` return.

    Attributes:
        source: the type to read; default: the annotated one.
        before: turns the user's value into one that ``source`` reads.
        after: turns what ``source`` read into the final value.
        json: turns the JSON Schema of ``source`` into the final one.
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
        """The type's own schema, or the one that ``json`` makes of it."""
        return handler(core) if self.json is None else self.json(handler(core))


def refuse(message: str, options: tuple[str, ...] = ()) -> Exception:
    """The error that a function of `Checked` raises; the user reads its message after the key's path.

    Args:
        message: why the value is refused.
        options: names of which the closest is suggested.
    """
    from pydantic_core import PydanticCustomError

    return PydanticCustomError("message", "{message}", {"message": message, "options": options})


def expect(words: str, hint: str = "") -> Exception:
    """The error that a function of `Checked` raises if something else was expected; a hint begins with ``; ``."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError("expected", "{words}", {"words": words, "hint": hint})


# --- what is declared -------------------------------------------------------------------------------------------------

_Said = TypeVar("_Said")


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared key. ``kind``: its type without None and without ``said``, the annotations that it carries."""

    name: str
    kind: Any
    said: tuple[Any, ...]
    nullable: bool
    default: Any

    def find(self, what: type[_Said]) -> _Said | None:
        """The type's annotation of this class, if there is one."""
        return next((one for one in self.said if isinstance(one, what)), None)

    @property
    def may_be_empty(self) -> bool:
        """Whether null means that the key is not given."""
        return self.nullable and self.find(Required) is None

    @property
    def section(self) -> type[Section] | None:
        """The section that the key holds, if any."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Section) else None

    @property
    def element(self) -> type[Section] | None:
        """The section that each element of a list may hold."""
        said = plain_type(get_args(self.kind)[0])[1] if get_origin(self.kind) is tuple else ()
        return next((one.source for one in said if isinstance(one, Checked) and one.source is not None), None)

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are allowed."""
        choice = self.find(OneOf)
        return choice.words if choice is not None else _literal(self.kind)

    @property
    def value_words(self) -> tuple[str, ...]:
        """The words that are allowed as values of a mapping."""
        return _literal(get_args(self.kind)[1]) if get_origin(self.kind) is dict else ()


def _literal(kind: Any) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


_KEYS: dict[type, dict[str, Declared]] = {}


def keys_of(section: type[Section]) -> dict[str, Declared]:
    """The keys of a section by name, in the order of the dataclass."""
    if section not in _KEYS:
        hints = get_type_hints(section, include_extras=True)
        places = dataclasses.fields(section)  # type: ignore[arg-type]
        _KEYS[section] = {place.name: _declared(place, hints[place.name]) for place in places}
    return _KEYS[section]


def _declared(place: dataclasses.Field[Any], hint: Any) -> Declared:
    kind, said, nullable = plain_type(hint)
    default = place.default if place.default_factory is MISSING else place.default_factory()
    return Declared(place.name, kind, said, nullable, default)


def plain_type(hint: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """A type without None and annotations; its annotations; whether it may be None."""
    said: tuple[Any, ...] = ()
    nullable = False
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            said += tuple(more)
        elif get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
            hint = next(one for one in get_args(hint) if one is not type(None))
            nullable = True
        else:
            return hint, said, nullable

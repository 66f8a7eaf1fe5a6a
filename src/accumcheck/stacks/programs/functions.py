"""Pass a user's function to another process: find the name by which that process can import it, and import it.

``my_package.train:build_trainer`` is a function of a module on the module search path; ``train.py:build_trainer`` is a
function in a file. Functions are passed by name, as in pickles, because fresh processes run them under the releases
under test.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from accumcheck.errors import ConfigError, WorkloadError

ENDING = ".py"
_EXPECTED = "a function at the top level of a file, because every split imports it in fresh processes"


@dataclass(frozen=True)
class NamedFunction:
    """The name of a function, and the arguments to call it with."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


def name_function(function: Any) -> NamedFunction:
    """The name by which `find_function` finds a function in another process with the same `sys.path`.

    Args:
        function: a function at the top level of a module, or in a class there. The arguments of a
            ``functools.partial`` are kept.

    Raises:
        ConfigError: another process could not import it, or could not call it with these arguments.
    """
    inner = function.func if isinstance(function, functools.partial) else function
    qualified, namespace = _checked(inner)
    file = namespace.get("__file__")
    module = str(namespace.get("__name__"))
    if file is None or not Path(file).is_file():
        raise _no_function(f"{qualified} of {module}, which has no file", "write it to one")
    by_name = all(map(str.isidentifier, module.split("."))) and _is_importable(module, Path(file))
    where = module if by_name else str(Path(file).resolve())
    return NamedFunction(f"{where}:{qualified}", _arguments(function, inner))


def find_function(name: str) -> Callable[..., Any]:
    """Import a function.

    Args:
        name: ``module:function`` or ``file.py:function``; a function in a class is ``Class.function``.

    Raises:
        WorkloadError: there is no such module, file or function.
        Exception: any exception of the import.
    """
    where, _, qualified = name.rpartition(":")
    found: Any = _module_in(Path(where)) if where.endswith(ENDING) else _module_named(where)
    for part in qualified.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise WorkloadError(f"callable: {where} has no function {qualified}; expected one that returns a Trainer")
    function: Callable[..., Any] = found
    return function


def _checked(function: Any) -> tuple[str, dict[str, Any]]:
    """The name of the function in its module, and the namespace of that module."""
    if hasattr(function, "train") and not inspect.isclass(function):
        what = f"a {type(function).__name__} object"
        raise _no_function(what, "every process makes its own Trainer, so give the function that makes it")
    if inspect.isclass(function):
        raise _no_function(f"the class {function.__qualname__}", "write a function that makes one")
    qualified = getattr(function, "__qualname__", None)
    if qualified is None:
        raise _no_function(f"{type(function).__name__} {function!r:.60}", "or a configuration: a path or a mapping")
    said = f"{qualified}{_line(function)}"
    if inspect.ismethod(function):
        raise _no_function(f"{said}, a method bound to an object", "make the values that it reads from it parameters")
    if qualified.endswith("<lambda>"):
        raise _no_function(said, "write def build_trainer(): return ...")
    if "<locals>" in qualified:
        advice = "move it there, and pass the outer values that it uses by functools.partial(build_trainer, size=2)"
        raise _no_function(f"{said}, defined inside another function", advice)
    namespace = getattr(inspect.unwrap(function), "__globals__", None)
    if namespace is None:
        raise _no_function(f"{said}, not written in Python", "write a Python function that calls it")
    first, *rest = qualified.split(".")
    found = namespace.get(first)
    for part in rest:
        found = getattr(found, part, None)
    if found is not function:
        raise _no_function(
            f"{said}, but {qualified} in {namespace.get('__name__')} is another object", "rename one of them"
        )
    return qualified, namespace


def _no_function(found: str, advice: str) -> ConfigError:
    return ConfigError(f"found {found}; expected {_EXPECTED}; {advice}")


def _line(function: Any) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return "" if code is None else f" ({Path(code.co_filename).name}:{code.co_firstlineno})"


def _is_importable(module: str, file: Path) -> bool:
    """Whether another process with this module search path imports the file by the module's name."""
    path = None
    spec = None
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:length]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    origin = spec.origin if spec is not None else None
    return origin is not None and Path(origin).is_file() and Path(origin).samefile(file)


def _arguments(function: Any, inner: Any) -> dict[str, Any]:
    """The arguments of a partial by name. Checks that none is missing and that all can be written as JSON."""
    given = function if isinstance(function, functools.partial) else functools.partial(inner)
    signature = inspect.signature(inner)
    name = inner.__qualname__
    try:
        bound = signature.bind_partial(*given.args, **given.keywords)
    except TypeError as error:
        raise ConfigError(f"{name}{signature} cannot be called with the partial's arguments: {error}") from error
    kinds = inspect.Parameter
    missing = [
        one.name
        for one in signature.parameters.values()
        if one.default is kinds.empty
        and one.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
        and one.name not in bound.arguments
    ]
    if missing:
        raise ConfigError(
            f"{name}{signature} needs {', '.join(missing)}, but is called without arguments; give for example "
            f"functools.partial({name}, {missing[0]}=...). It needs no arguments for batch size, accumulation and "
            "steps: accumcheck sets these in the TrainingArguments that it makes"
        )
    arguments: dict[str, Any] = {}
    for parameter, value in bound.arguments.items():
        kind = signature.parameters[parameter].kind
        if kind in (kinds.POSITIONAL_ONLY, kinds.VAR_POSITIONAL):
            raise ConfigError(f"{name}{signature}: {parameter} cannot be passed by name; make it a named parameter")
        arguments.update(value if kind is kinds.VAR_KEYWORD else {parameter: value})
    for parameter, value in arguments.items():
        _check_plain(name, parameter, value)
    return arguments


def _check_plain(name: str, parameter: str, value: Any) -> None:
    try:
        plain = json.loads(json.dumps(value, allow_nan=False)) == value  # a tuple comes back as a list
    except (TypeError, ValueError):
        plain = False
    if not plain:
        hint = f"; give str({parameter})" if isinstance(value, Path) else ""
        raise ConfigError(
            f"{name}: {parameter} is {type(value).__name__} {value!r:.60}; other processes can only receive text, "
            f"finite numbers, True, False, None, and lists and mappings of these{hint}"
        )


def _module_named(module: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # an import in the module itself failed
        raise WorkloadError(
            f"callable: there is no module {error.name}; expected an installed package or a module in the working "
            f"directory {Path.cwd()}; or give its file: path/to/train.py:build_trainer"
        ) from error


def _module_in(file: Path) -> ModuleType:
    """Import a file as part of its package. The folder above the package comes first on the search path."""
    root, parts = file.parent, [] if file.stem == "__init__" else [file.stem]
    while (root / "__init__.py").is_file():
        root, parts = root.parent, [root.name, *parts]
    sys.path.insert(0, str(root))
    module = importlib.import_module(".".join(parts))
    if module.__file__ is None or not Path(module.__file__).samefile(file):
        raise WorkloadError(
            f"callable: {file} cannot be imported: its module name {module.__name__} already belongs to "
            f"{module.__file__ or 'another module'}; rename the file"
        )
    return module

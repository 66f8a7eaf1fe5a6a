"""What transformers learns of its modules when it is imported, read once."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import transformers
from transformers.utils import import_utils

from accumcheck.work.scan_once import MODULE, remember, scan_once

MODELS = Path(transformers.__file__).parent / "models"


@pytest.fixture
def copied() -> Any:
    """A copy of the module, with caches of its own."""
    spec = importlib.util.spec_from_file_location("transformers.utils._copied", import_utils.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def counting_reads(module: Any) -> list[str]:
    """The texts whose names are asked for, as they are."""
    asked: list[str] = []
    original = module.fetch__all__

    def fetch(file_content: str) -> list[str]:
        asked.append(file_content)
        return original(file_content)

    module.fetch__all__ = fetch
    return asked


def test_the_same_names_are_found_of_every_model_and_each_file_is_read_once(copied: Any) -> None:
    right = import_utils.define_import_structure(str(MODELS / "__init__.py"))
    remember(copied)
    asked = counting_reads(copied)
    found = copied.define_import_structure(MODELS, prefix="models")
    read = len(asked)
    again = copied.define_import_structure(str(MODELS / "__init__.py"))
    assert again == right
    assert found == {needs: {f"models.{name}": of for name, of in all_.items()} for needs, all_ in right.items()}
    assert (read > 1000, len(asked) - read) == (True, 0)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("x = 1\n", []),
        ("x = '__all__'\n", []),
        ('__all__ = ["A", "B"]\n', ["A", "B"]),
        ('__all__ = ["A"]\nx = 1\n__all__ = ["B"]\n', ["B"]),
        ('import x\n\n__all__ = [\n    "A",\n    "B",\n]\n', ["A", "B"]),
        ('import x\r\n__all__ = ["A"]', ["A"]),
        ('    __all__ = ["A"]\n', []),
    ],
)
def test_the_last_line_that_begins_so_counts_as_before(copied: Any, text: str, names: list[str]) -> None:
    assert import_utils.fetch__all__(text) == names
    remember(copied)
    assert copied.fetch__all__(text) == names


def test_a_release_without_these_functions_is_left_as_it_is() -> None:
    module = ModuleType("import_utils")
    before = dict(vars(module))
    put_back = remember(module)
    assert dict(vars(module)) == before
    put_back()
    assert dict(vars(module)) == before


def test_the_finder_is_there_within_and_gone_after() -> None:
    before = list(sys.meta_path)
    with scan_once():
        assert len(sys.meta_path) == len(before) + 1
    assert sys.meta_path == before


def test_an_import_within_is_the_fast_one() -> None:
    program = (
        "from accumcheck.work.scan_once import scan_once\n"
        "with scan_once():\n"
        f"    import transformers.models, {MODULE} as module\n"
        "    print(module.create_import_structure_from_path.cache_info().maxsize)\n"
        "print(module.create_import_structure_from_path.cache_info().maxsize)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "128"]

"""Recipes: packages whose stated requirements go beyond training, as data."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from accumcheck.environments import environments, recipes
from accumcheck.environments.recipes import read_recipes, recipes_for, shipped
from accumcheck.environments.request import Pin, Request
from accumcheck.environments.shelf import Shelf
from tests.environments.conftest import PACKAGES
from tests.environments.local_index import LocalIndex, Release

ROWS = """
- {package: studio, releases: "<2", without: [web-page], instead: [numpy], also: [accelerate],
   stubs: {sound: "def load(): ...\\n"}}
- {package: studio, releases: ">=2"}
"""


def test_the_first_row_that_holds_the_release_is_used() -> None:
    rows = read_recipes(ROWS)
    assert recipes_for([Pin("transformers", "4.49.0"), Pin("studio", "1.5")], rows) == [rows[0]]
    assert recipes_for([Pin("studio", "2.0rc1")], rows) == []  # a pre-release of 2 is neither below 2 nor at least 2
    assert recipes_for([Pin("studio", "2.0")], rows) == [rows[1]]
    assert recipes_for([Pin("trl", "1.16.0")], rows) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", "expected a list of recipes"),
        ("- {package: studio}", "row 1: expected a mapping with package and releases"),
        ("- {package: Stu_dio, releases: '<2'}", r"row 1 \(Stu_dio\): expected the canonical name stu-dio"),
        ("- {package: studio, releases: '<2', with: [a]}", r"row 1 \(studio\): with is not a field of a recipe"),
        ("- {package: studio, releases: 'below 2'}", r"row 1 \(studio\): Invalid specifier"),
        ("- {package: studio, releases: '<2', also: ['a b']}", r"row 1 \(studio\): "),
    ],
)
def test_a_malformed_row_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_recipes(text)


def test_what_is_shipped_can_be_installed_as_it_is_written() -> None:
    assert {recipe.package for recipe in shipped()} == {"llamafactory"}
    for release in ("0.9.2", "0.9.3", "0.9.5"):
        assert len(recipes_for([Pin("llamafactory", release)])) == 1
    for recipe in shipped():
        for text in recipe.stubs.values():
            ast.parse(text)


def test_an_environment_follows_its_recipe(
    local_index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Release(
        "1.0",
        "2025-02-17T12:00:00Z",
        requires=("numpy<1.0", "web-page", "transformers"),
        modules={"studio/__init__.py": "import sound\n"},
    )
    local_index.add("studio", [studio])
    rows = read_recipes(ROWS)
    monkeypatch.setattr(recipes, "shipped", lambda: rows)
    request = Request((Pin("transformers", "4.49.0"), Pin("studio", "1.0")))
    shelf = Shelf(tmp_path / "shelf" / "environments")
    with environments([request], shelf=shelf) as (python,):
        subprocess.run([python, "-c", "import studio, sound; sound.load()"], check=True)
    (entry,) = shelf.entries()
    assert entry.packages["numpy"] == "1.26.4"  # not numpy<1.0, which there is none of
    assert "web-page" not in entry.packages
    # another recipe, another environment
    changed = read_recipes(ROWS.replace("load()", "play()"))
    monkeypatch.setattr(recipes, "shipped", lambda: changed)
    with environments([request], shelf=shelf):
        pass
    assert len(shelf.entries()) == 2
    assert "studio" not in PACKAGES

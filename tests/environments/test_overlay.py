"""Which packages must be replaced when others are laid over them."""

from __future__ import annotations

import sys
from pathlib import Path

from accumcheck.environments.overlay import Base, broken_by, requirements_of


def test_a_requirement_of_an_extra_does_not_hold() -> None:
    lines = ["fsspec>=2023.1", "ruff; extra == 'dev'", "pywin32; sys_platform == 'win32'"]
    assert [requirement.name for requirement in requirements_of(lines)] == ["fsspec"]


def test_a_package_is_broken_by_an_older_version_of_what_it_requires() -> None:
    base = {
        "datasets": ["huggingface-hub<3,>=1.0", "numpy>=1.17"],
        "pandas": ["numpy>=1.26"],
        "torch": ["filelock>=4"],  # never installed again: it is bound instead
        "numpy": ["cython>=3"],  # itself laid over
    }
    layer = {"huggingface-hub": "0.28.1", "numpy": "2.2.3", "filelock": "3.17.0", "cython": "0.29"}
    assert broken_by(base, layer) == ["datasets"]


def test_names_are_compared_as_the_index_does() -> None:
    assert broken_by({"datasets": ["Huggingface_Hub>=1.0"]}, {"huggingface-hub": "0.28.1"}) == ["datasets"]


def test_the_environment_below_is_this_one_and_its_recipe_does_not_change_by_itself() -> None:
    base = Base.here()
    assert base.python == sys.executable
    assert {"torch", "transformers", "pytest"} <= set(base.packages)
    assert any(bound.startswith("sympy") for bound in base.bounds())  # torch's, and torch stays
    assert base.recipe() == Base.here().recipe()
    assert all(Path(folder).is_dir() for folder in base.folders)
    # one line each: Python runs every line of a .pth file by itself
    assert base.path_file().splitlines() == [f"import site; site.addsitedir({folder!r})" for folder in base.folders]

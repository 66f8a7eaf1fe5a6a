"""A package that a check's libraries import and do not use: workers do without it, and yet it must be importable."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

import pytest

from tests.e2e.program import command, write_config

pytestmark = pytest.mark.e2e

NOTED = """
import os, sys
with open(os.environ["IMPORTED"], "a") as stream:
    print(*sys.argv, file=stream)
class Dataset: pass
class IterableDataset: pass
"""
BROKEN = "raise ImportError('numpy.core.multiarray failed to import')"


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[int, str, str]]:
    """By run: its exit code, its standard output, and who has imported ``datasets``. All at once."""
    started = {}
    for name, text in {"synthetic": NOTED, "optimizer": NOTED, "broken": BROKEN}.items():
        folder = tmp_path_factory.mktemp(name)
        package = folder / "packages" / "datasets"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(text, encoding="utf-8")
        metadata = folder / "packages" / "datasets-9.9.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Name: datasets\nVersion: 9.9\n", encoding="utf-8")
        keys = {"training_arguments": {"optim": "adamw_torch"}} if name == "optimizer" else {}
        config = write_config(folder, splits=["1x8x1", "1x1x8"], steps=1, **keys)
        searched = os.pathsep.join([str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        variables = {"PYTHONPATH": searched, "IMPORTED": str(folder / "imported")}
        started[name] = (
            folder,
            subprocess.Popen(
                command("run", config), env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
            ),
        )
    found = {}
    for name, (folder, process) in started.items():
        out, _ = process.communicate(timeout=240)
        imported = folder / "imported"
        found[name] = (process.returncode, out, imported.read_text(encoding="utf-8") if imported.exists() else "")
    return found


def test_it_is_imported_once_beside_the_run_where_nothing_uses_it(ended: Mapping[str, tuple[int, str, str]]) -> None:
    code, out, imported = ended["synthetic"]
    assert code == 0, out
    (only,) = imported.splitlines()
    assert "datasets" in only  # the process that is to import it, and nothing else


def test_it_is_imported_by_the_workers_where_they_may_use_it(ended: Mapping[str, tuple[int, str, str]]) -> None:
    code, out, imported = ended["optimizer"]
    assert code == 0, out
    assert [line for line in imported.splitlines() if "datasets" not in line]


def test_a_run_whose_stack_cannot_be_imported_is_an_error(ended: Mapping[str, tuple[int, str, str]]) -> None:
    code, out, _ = ended["broken"]
    assert code == 3
    assert "ERROR   every split: datasets: ImportError: numpy.core.multiarray failed to" in out

"""What the fork server imports, and how."""

from __future__ import annotations

import gc
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from accumcheck.config.model import CheckConfig, DataConfig, ModelConfig, SyntheticData
from accumcheck.record import Split
from accumcheck.work import preload as module
from accumcheck.work.preload import leave_out, preload, uncollected

CHECK = CheckConfig(
    model=ModelConfig(config={"model_type": "llama"}),
    data=DataConfig(synthetic=SyntheticData()),
    global_batch_size=2,
    splits=(Split(1, 2, 1),),
)


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_the_collector_does_not_run_during_imports_and_leaves_their_objects_alone() -> None:
    collections: list[str] = []

    def note(phase: str, _: object) -> None:
        collections.append(phase)

    gc.callbacks.append(note)
    try:
        with uncollected():
            made = [[number] for number in range(100_000)]  # far above the first threshold
            assert collections == []
    finally:
        gc.callbacks.remove(note)
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(made)


def test_the_collector_runs_again_after_an_import_that_fails() -> None:
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()


def test_a_module_that_cannot_be_imported_does_not_keep_others_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaks_at_import.py").write_text("raise RuntimeError('no')\n", encoding="utf-8")
    (tmp_path / "imported_after_it.py").write_text("import gc\nCOLLECTED = gc.isenabled()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "_all_modules", lambda: iter(["breaks_at_import", "imported_after_it"]))
    preload()
    imported = sys.modules.pop("imported_after_it")
    assert imported.COLLECTED is False
    assert "breaks_at_import" not in sys.modules


@pytest.fixture
def datasets_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("datasets", "peft", "sklearn"):
        monkeypatch.setitem(sys.modules, name, sys)  # so that what was there is put back, or that nothing was
        del sys.modules[name]


@pytest.mark.usefixtures("datasets_not_imported")
@pytest.mark.parametrize("stack", ["trainer", "accelerate", "planted:times-k"])
def test_what_loops_with_a_model_and_data_of_our_own_do_not_use_counts_as_not_installed(stack: str) -> None:
    assert importlib.util.find_spec("datasets") is not None
    leave_out([CHECK, replace(CHECK, stack=stack)])
    assert importlib.util.find_spec("datasets") is None
    with pytest.raises(ImportError):
        import peft  # noqa: F401


@pytest.mark.usefixtures("datasets_not_imported")
@pytest.mark.parametrize(
    "check",
    [
        replace(CHECK, model=ModelConfig(name_or_path="./adapter")),
        replace(CHECK, model=replace(CHECK.model, trust_remote_code=True)),
        replace(CHECK, data=DataConfig(synthetic=None, jsonl="train.jsonl")),
        replace(CHECK, stack="script"),
        replace(CHECK, stack="trl-sft"),
    ],
)
def test_what_comes_from_elsewhere_finds_every_package(check: CheckConfig) -> None:
    leave_out([CHECK, check])
    assert importlib.util.find_spec("datasets") is not None
    assert importlib.util.find_spec("peft") is not None


def test_what_is_imported_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", sys)
    monkeypatch.setitem(sys.modules, "datasets", sys)
    monkeypatch.setitem(sys.modules, "sklearn", sys)
    leave_out([CHECK])
    assert sys.modules["peft"] is sys


def test_trainer_is_imported_without_them() -> None:
    program = (
        "import sys\n"
        "from tests.work.test_preload import CHECK\n"
        "from accumcheck.work.preload import leave_out, preload\n"
        "leave_out([CHECK])\n"
        "preload()\n"
        "from transformers import Trainer\n"
        "names = 'transformers.trainer', 'pandas', 'pyarrow', 'peft.config'\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout == "['transformers.trainer']\n", done.stderr

"""Environments are built, shared, survived and lent: real uv, real processes, a small index."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from accumcheck.environments import environments
from accumcheck.environments.request import Pin, Request
from accumcheck.environments.shelf import Shelf
from accumcheck.errors import ConfigError, LaunchError
from tests.environments.local_index import LocalIndex
from tests.signals import default_signals

OLD = Request((Pin("transformers", "4.49.0"),))
WHEEL = "transformers-4.49.0-py3-none-any.whl"
BUILDER = """
import sys
from accumcheck.environments import Pin, Request, environments
with environments([Request((Pin("transformers", "4.49.0"),))], say=lambda text: print(text, flush=True)) as found:
    print("lent", *found, flush=True)
    sys.stdin.read()
"""


def start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def shelf_of(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf" / "environments")


def names(shelf: Shelf) -> list[str]:
    return sorted(path.name for path in shelf.folder.iterdir() if path.name != ".locks")


def test_the_release_and_the_dependencies_of_its_day_and_nothing_else(local_index: LocalIndex, tmp_path: Path) -> None:
    said: list[str] = []
    with environments([OLD], say=said.append) as (python,):
        code = (
            "import json, torch, accumcheck; from importlib.metadata import version as v; "
            "print(json.dumps([v('transformers'), v('accelerate'), v('numpy'), torch.__version__]))"
        )
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    torch = pytest.importorskip("torch")
    # of the day: accelerate 1.4.0 came a second before its midnight, numpy 99.0 and accelerate 1.5.0 came later
    assert json.loads(done.stdout) == ["4.49.0", "1.4.0", "1.26.4", torch.__version__]
    (entry,) = shelf_of(tmp_path).entries()
    assert entry.releases == {"transformers": "4.49.0"}
    assert entry.packages["transformers"] == "4.49.0"
    assert not {"torch", "accumcheck", "triton"} & set(entry.packages)
    assert said == [
        "transformers 4.49.0: asking the package index",
        "transformers 4.49.0: installing, with the dependencies of 2025-02-17",
        "transformers 4.49.0: importing Trainer",
    ]


def test_without_transformers_only_what_is_named_is_laid_over(local_index: LocalIndex, tmp_path: Path) -> None:
    with environments([Request((Pin("accelerate", "1.4.0"),))]) as (python,):
        code = "from importlib.metadata import version as v; print(v('transformers'), v('accelerate'), v('numpy'))"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [version("transformers"), "1.4.0", version("numpy")]
    (entry,) = shelf_of(tmp_path).entries()
    assert set(entry.packages) == {"accelerate"}


def test_what_a_named_package_needs_otherwise_is_laid_over_too(local_index: LocalIndex, tmp_path: Path) -> None:
    with environments([Request((Pin("needy", "1.0"),))]):
        (entry,) = shelf_of(tmp_path).entries()
    # accelerate is too young here for it, numpy will do
    assert entry.packages == {"needy": "1.0", "accelerate": "1.3.0"}


def test_a_second_run_finds_it_and_needs_no_network(
    local_index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with environments([OLD]) as (first,):
        pass
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    said: list[str] = []
    with environments([None, OLD, OLD], say=said.append) as pythons:
        assert pythons == [sys.executable, first, first]
    assert said == []


def test_several_are_built_side_by_side(local_index: LocalIndex) -> None:
    other = Request((Pin("transformers", "4.48.3"),))
    local_index.free.clear()  # neither can end before both have begun
    said: list[str] = []
    threading.Thread(target=free_when, args=(local_index, said, 2), daemon=True).start()
    with environments([OLD, other], say=said.append) as pythons:
        assert len(set(pythons)) == 2
    asked = sorted(text for text in said if text.endswith("asking the package index"))
    assert asked == [f"transformers {one}: asking the package index" for one in ("4.48.3", "4.49.0")]


def free_when(index: LocalIndex, said: list[str], installing: int) -> None:
    until = time.monotonic() + 60
    while sum("installing" in text for text in said) < installing and time.monotonic() < until:
        time.sleep(0.02)
    index.free.set()


def test_two_processes_that_want_the_same_build_it_once(local_index: LocalIndex, tmp_path: Path) -> None:
    local_index.free.clear()
    builders = [start(), start()]
    assert local_index.downloading.wait(240)
    time.sleep(0.5)  # the other has had time to begin, if it could
    local_index.free.set()
    outs = [builder.communicate(timeout=240)[0].splitlines() for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0]
    assert outs[0][-1] == outs[1][-1]
    assert sum("installing" in line for out in outs for line in out) == 1
    assert sum("waiting for another run" in line for out in outs for line in out) == 1
    assert local_index.downloads.count(WHEEL) == 1
    assert len(shelf_of(tmp_path).entries()) == 1


def test_a_build_that_is_killed_is_never_used_and_the_next_run_builds_anew(
    local_index: LocalIndex, tmp_path: Path
) -> None:
    local_index.free.clear()
    builder = start()
    assert local_index.downloading.wait(240)
    builder.kill()
    builder.communicate(timeout=240)
    (entry,) = shelf_of(tmp_path).entries()
    assert not entry.complete
    local_index.free.set()  # what was left running may now write what it likes
    with environments([OLD]) as (python,):
        assert Path(python).exists()
        (entry,) = shelf_of(tmp_path).entries()
        assert entry.complete
        assert entry.in_use


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_ends_what_it_started_and_leaves_nothing(
    local_index: LocalIndex, tmp_path: Path, word: signal.Signals
) -> None:
    local_index.free.clear()
    config = tmp_path / "check.yaml"
    config.write_text("model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\n")
    run = subprocess.Popen(
        [sys.executable, "-m", "accumcheck", "run", str(config), "--transformers", "4.49.0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MARK": str(tmp_path)},
        preexec_fn=default_signals,
    )
    assert local_index.downloading.wait(240)
    run.send_signal(word)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err.splitlines()[-1] == "accumcheck: interrupted; all processes were stopped"
    assert names(shelf_of(tmp_path)) == []
    assert processes_with(f"MARK={tmp_path}") == []


def processes_with(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_one_that_fails_ends_the_others(local_index: LocalIndex, tmp_path: Path) -> None:
    broken = Request((Pin("transformers", "4.50.1.post1"),))
    local_index.free.clear()
    said: list[str] = []
    missing = Request((Pin("transformers", "4.49.7"),))
    with pytest.raises(ConfigError, match=r"transformers==4\.49\.7: the package index has no such release"):
        environments([OLD, missing], say=said.append).__enter__()
    local_index.free.set()
    with pytest.raises(LaunchError, match=r"4\.50\.1\.post1 cannot be imported with torch .*nowhere"):
        environments([broken]).__enter__()
    assert names(shelf_of(tmp_path)) == []


def test_releases_that_do_not_go_together_are_the_users_to_change(local_index: LocalIndex, tmp_path: Path) -> None:
    request = Request((Pin("transformers", "4.50.1"), Pin("accelerate", "1.4.0")))
    with pytest.raises(ConfigError, match=r"these releases conflict: .*accelerate<1\.4"):
        environments([request]).__enter__()
    assert names(shelf_of(tmp_path)) == []


def test_another_release_first_on_the_path_is_no_environment(
    local_index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere" / "transformers-4.48.3.dist-info"
    elsewhere.mkdir(parents=True)
    (elsewhere / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 4.48.3\n")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere.parent))
    with pytest.raises(LaunchError, match=r"finds transformers 4\.48\.3 instead of 4\.49\.0; .*PYTHONPATH"):
        environments([OLD]).__enter__()


def test_one_whose_interpreter_has_gone_is_built_again(local_index: LocalIndex, tmp_path: Path) -> None:
    with environments([OLD]) as (python,):
        pass
    Path(python).unlink()
    with environments([OLD]) as (again,):
        assert again == python
        assert subprocess.run([again, "-c", ""], check=False).returncode == 0


def test_one_whose_metadata_is_broken_is_built_again(local_index: LocalIndex, tmp_path: Path) -> None:
    with environments([OLD]) as (python,):
        pass
    (Path(python).parent.parent / "environment.json").write_text("[]")
    with environments([OLD]) as (again,):
        assert again == python
    (entry,) = shelf_of(tmp_path).entries()
    assert entry.complete


def test_a_link_in_its_place_is_not_followed_but_replaced(local_index: LocalIndex, tmp_path: Path) -> None:
    with environments([OLD]) as (python,):
        pass
    place = Path(python).parent.parent
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with environments([OLD]) as (again,):
        assert again == python
        assert not place.is_symlink()
    assert (tmp_path / "elsewhere" / "bin" / "python").exists()


def test_whatever_the_umask_it_can_be_used_again(local_index: LocalIndex, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with environments([OLD]) as (first,):
            pass
        with environments([OLD]) as (second,):
            assert first == second
    finally:
        os.umask(before)
    shared = [path for path in (tmp_path / "shelf").rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert [path for path in shared if "__pycache__" not in path.parts] == []


def test_one_that_waits_to_build_shares_what_another_has_built(local_index: LocalIndex, tmp_path: Path) -> None:
    with environments([OLD]) as (python,):
        pass
    shelf, place = shelf_of(tmp_path), Path(python).parent.parent
    place.rename(tmp_path / "built elsewhere")

    def say(text: str) -> None:
        assert text == "transformers 4.49.0: waiting for another run that builds it"
        (tmp_path / "built elsewhere").rename(place)

    with shelf.lock(place) as other:
        assert other.try_use()
        with environments([OLD], say=say) as (found,):
            assert found == python

"""Run the steps of a reproduction in an environment: the description of a model, and the script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accumcheck.as_module import module_command
from accumcheck.reproduce.case import Field, NotReproducedError, Outcome, Subject

LONGEST = 300.0
"""The time limit of one script, in seconds."""


def subject_of(python: str, asked: Mapping[str, Any]) -> Subject:
    """A model and rows, made by the packages of an interpreter.

    Args:
        python: the interpreter.
        asked: the request, see `accumcheck.reproduce.describe`.

    Raises:
        NotReproducedError: they could not be made. The text says why.
    """
    done = _run(module_command(python, "accumcheck.reproduce.describe"), json.dumps(asked))
    try:
        found = json.loads(done.output)
    except ValueError:
        raise NotReproducedError(f"the model could not be described: {done.output.strip()[-500:]}") from None
    if "error" in found:
        raise NotReproducedError(f"the model could not be made small: {found['error']}")
    rows = tuple(
        {name: Field(one.get("values"), tuple(one.get("shape", ()))) for name, one in row.items()}
        for row in found["rows"]
    )
    return Subject(
        found["model_type"],
        found["config"],
        found["model_class"],
        found["counts"],
        rows,
        tuple(found["joined"]),
        found["pad"],
    )


def run_script(text: str, python: str, processes: int) -> Outcome:
    """Run a script as described at its top, in its own folder.

    Args:
        text: the script.
        python: the interpreter.
        processes: the number of processes; several are started by torchrun.
    """
    with tempfile.TemporaryDirectory(prefix="accumcheck-repro-") as folder:
        path = Path(folder) / "repro.py"
        path.write_text(text, encoding="utf-8")
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        done = _run([python, *(launcher if processes > 1 else []), str(path)], "", folder)
        printed = done.output.strip().splitlines()
        numbers = [line for line in printed if line.startswith("loss ")]
        # torchrun adds its own report about the processes that ended with 1
        return Outcome(done.code, "\n".join(numbers[-1:] if numbers else printed[-15:]))


def _run(command: list[str], text: str, folder: str | None = None) -> Outcome:
    """Run a command to its end. After the time limit, end it and all processes that it started."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR", "HF_HUB_OFFLINE": "1"}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        environment.pop(name, None)
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(text, timeout=LONGEST)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            return Outcome(2, f"it did not end within {LONGEST:.0f} s")
        raise
    return Outcome(process.returncode, out if out.strip() else err)

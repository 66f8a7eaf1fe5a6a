"""The conductor, the process that runs all jobs: ``python -m accumcheck.launch ROOT RUNS [PACKAGE ...]``.

RUNS is how many plans there are, or `AS_ASKED` where the parent asks for one after the other. The workers do without
the packages named. The conductor imports torch, and forks the fork server, which imports the rest. Then it counts the
devices, and runs the reference and every split through torchrun's agent. It has its own process group, which ends as a
whole when the parent closes its standard input. After `EARLY` and the parent's process id it reads its arguments from
there (`accumcheck.launch.early`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from pathlib import Path
from typing import NoReturn

from accumcheck.launch.early import EARLY, AwaitedOrder
from accumcheck.launch.fork_server import ForkServer
from accumcheck.launch.lifetime import AS_ASKED, Lifetime
from accumcheck.launch.variables import set_environment, set_variables
from accumcheck.runfolder.place import Place
from accumcheck.work.uncollected import uncollected


def main() -> NoReturn:
    """Run the plans in the given folder, one after the other, and exit with 0.

    Failures are in each plan's event log.
    """
    arguments = sys.argv[1:]
    if arguments[0] == EARLY:
        order = AwaitedOrder(int(arguments[1]))
        set_variables()
        _import_torch()
        arguments = order.take()
    place = Place(Path(arguments[0]), Path(os.environ["TMPDIR"]))
    set_environment(place.run(0), arguments[2:])
    # with this prefix, the semaphores can be removed together with the run's files
    multiprocessing.current_process()._config["semprefix"] = place.semaphores  # type: ignore[attr-defined]
    server = ForkServer()
    _import_torch()
    server.start(["accumcheck.work.fork_server"])
    lifetime = Lifetime(place)
    lifetime.end_with_parent()  # starts a thread
    from accumcheck.launch.conductor import Conductor  # while the server imports, which the run waits for

    for number in lifetime.asked() if arguments[1] == AS_ASKED else range(int(arguments[1])):
        server.renew()
        Conductor(place.run(number), server, lifetime).lead()
    lifetime.end()


def _import_torch() -> None:
    """Import it once for this process and the server."""
    with uncollected(), contextlib.suppress(Exception):  # a worker that cannot import it says why
        import torch  # noqa: F401


if __name__ == "__main__":
    main()

"""The floor: one import, then every split in fresh forked processes, one split after another, and nothing else.

No launcher, no reference, no records, no report: only what fresh processes for these splits must cost.

python floor.py [--without PACKAGE,PACKAGE...] FOLDER STEPS SPLIT...

A split is written NxBxK. The packages count as not installed, as those do that accumcheck's workers leave out.
"""

import gc
import os
import socket
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun sets, and accumcheck; read when torch is imported

arguments = sys.argv[1:]
if arguments[0] == "--without":
    sys.modules.update(dict.fromkeys(arguments[1].split(",")))  # type: ignore[arg-type]
    del arguments[:2]

gc.disable()  # imports leave next to no garbage; accumcheck's fork server does without it as well

import plain_script  # noqa: E402
import transformers.models.clip.modeling_clip  # noqa: E402
import transformers.models.llama.modeling_llama  # noqa: E402, F401  the towers of LLaVA, imported once as well


def run_split(folder: str, steps: int, processes: int, batch: int, accumulate: int) -> None:
    """Fork the split's processes, train, and wait for them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    children = []
    for rank in range(processes):
        child = os.fork()
        if child == 0:
            if processes > 1:
                os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes))
                os.environ.update(LOCAL_WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
            try:
                plain_script.train(folder, batch, accumulate, steps)
                sys.stdout.flush()
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
    if failed:
        sys.exit(f"floor: {processes}x{batch}x{accumulate}: {len(failed)} of {processes} processes failed")


if __name__ == "__main__":
    gc.freeze()  # else every child's collections would copy the imports' pages: a floor must not pay for that
    gc.enable()
    folder, steps, *splits = arguments
    for split in splits:
        run_split(folder, int(steps), *(int(part) for part in split.split("x")))

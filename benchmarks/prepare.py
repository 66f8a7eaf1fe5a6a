"""Write the check's model config and samples into a folder, for scripts that do not use accumcheck's code.

python prepare.py CONFIG FOLDER    prints the check's steps and splits as JSON
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from accumcheck.config.load import load_config
from accumcheck.workload.assemble import build_workload

if __name__ == "__main__":
    check = load_config(Path(sys.argv[1]), [])
    workload = build_workload(check, "cpu")
    config: Any = workload.model.config
    config.save_pretrained(sys.argv[2])
    torch.save([dict(sample) for sample in workload.samples], Path(sys.argv[2], "samples.pt"))
    print(json.dumps({"steps": check.steps, "splits": [str(split) for split in check.splits or ()]}))

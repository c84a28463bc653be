"""A process that takes steps: `python -m siftstream.experiment.child FOLDER`, requests in, answers out.

A request is a JSON line on stdin, an answer one on stdout; all other output goes to stderr. The end of stdin
is the end of the parent: the child leaves at once, whatever it does.
"""

import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from siftstream.experiment.material import Material
from siftstream.experiment.plan import plans
from siftstream.schemas.errors import SiftError


def main(folder: Path) -> None:
    """Answer until stdin ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    material = Material.read(folder)
    while True:
        out.write(json.dumps(_answer(material, json.loads(lines.get()))) + "\n")


def _answer(material: Material, request: dict[str, Any]) -> dict[str, Any]:
    try:
        from siftstream.experiment.step import step

        plan = plans(request["plan"])[0]
        labelled = np.array(request["labelled"], np.int64)
        found = step(material, plan, request["seed"], labelled, request["count"])
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return {"error": "training needs torch: pip install 'siftstream[train]'"}
    except SiftError as error:
        return {"error": str(error)}
    return {"accuracy": found.accuracy, "chosen": found.chosen}


def _listen(lines: "queue.SimpleQueue[bytes]") -> None:
    # Unbuffered: a thread that waits inside sys.stdin would hold its lock while Python shuts down.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        rest = b""
        while part := stdin.read(1 << 16):
            *whole, rest = (rest + part).split(b"\n")
            for line in whole:
                lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What one would write otherwise: which ways there are, and how one is measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siftstream.bench.child import answer, clean
from siftstream.bench.environments import OTHERS, Environment
from siftstream.bench.failed import BenchFailed
from siftstream.bench.load import FOURTH
from siftstream.bench.workbench import Workbench

LOADER = Environment("loader.txt", ours="torch")  # torch is large: where we have it, it is not fetched again


@dataclass(frozen=True)
class Peer:
    """A way: its script in `others/`, its environment, and the only model that it runs, if there is one."""

    name: str
    script: str
    environment: Environment
    only: str | None = None


PEERS = (
    Peer("tight script", "tight", Environment("tight.txt")),
    Peer("DataLoader + ORT", "loader_ort", LOADER),
    Peer("DataLoader + torch", "loader_torch", LOADER, only="resnet18"),
    Peer("modAL", "modal", Environment("modal.txt")),
    Peer("scikit-activeml", "scikit_activeml", Environment("scikit_activeml.txt")),
)


def measured(bench: Workbench, peer: Peer, onnx: Path, count: int) -> dict[str, Any]:
    """Run a peer on the first pictures of the workbench; return its figures.

    Args:
        bench: Pictures and folders.
        peer: What to run.
        onnx: The graph that gives probabilities.
        count: Samples; as many as there are pictures at most.

    Raises:
        BenchFailed: its environment cannot be made, it cannot run this model, or it fails.
    """
    if peer.only not in (None, bench.model.name):
        raise BenchFailed(f"{peer.name}: runs {peer.only} alone, not {bench.model.name}")
    side = bench.model.side
    count = len(bench.uris(side, count))
    python = peer.environment.python(bench.options.environments, bench.tell)
    command = [python, str(OTHERS / "run.py"), peer.script, str(bench.root(side)), str(onnx), str(count)]
    figures = answer([*command, str(count // FOURTH)], environment=clean())
    return {**figures, "interpreter": "ours" if peer.environment.reused else "own"}

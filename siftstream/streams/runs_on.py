"""What a worker's model runs on, as it stands in the metadata of its group's commits."""

import json
from dataclasses import asdict, dataclass
from typing import Final, Self

WHY_BYTES: Final = 1000  # the broker stores 4096 bytes a partition


@dataclass(frozen=True, order=True)
class RunsOn:
    """A note of infer, read back by `siftstream status`.

    >>> note = RunsOn("main", "v0003", "cpu", "fp32", 2, "cuda has no device")
    >>> str(note)
    'main/v0003 on cpu (fp32, 2 runs): cuda has no device'
    >>> RunsOn.decode(note.encode()) == note
    True
    """

    line: str
    version: str
    provider: str  # tensorrt, cuda or cpu
    precision: str  # fp32, fp16 or int8
    runs: int  # device batches at once
    why: str

    def __str__(self) -> str:
        """The note for people."""
        runs = "1 run" if self.runs == 1 else f"{self.runs} runs"
        return f"{self.line}/{self.version} on {self.provider} ({self.precision}, {runs}): {self.why}"

    def encode(self) -> str:
        """Return the note as JSON, small enough for a commit's metadata."""
        why = self.why.encode()[:WHY_BYTES].decode(errors="ignore")
        return json.dumps({"runs_on": {**asdict(self), "why": why}}, ensure_ascii=False)

    @classmethod
    def decode(cls, metadata: str) -> Self | None:
        """Return the note in a commit's metadata; None where there is none that this version knows."""
        try:
            found = json.loads(metadata)["runs_on"]
            texts = (str(found[name]) for name in ("line", "version", "provider", "precision"))
            return cls(*texts, runs=int(found["runs"]), why=str(found["why"]))
        except (ValueError, KeyError, TypeError):
            return None

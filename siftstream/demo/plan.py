"""How the demo runs: its sizes, and the configuration that a user could have written."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from siftstream.demo.digits import CLASSES, SIDE
from siftstream.settings import Settings
from siftstream.settings.load import settings_from

PARTITIONS = 4
AHEAD = 30
"""Chosen samples that no model has learned from yet, beyond which the stream waits: models keep up."""


@dataclass(frozen=True)
class Plan:
    """One run of the demo."""

    out: Path
    seed: int
    images: int | None  # streamed at most; none: all
    rate: float  # images a second, at most
    random_seeds: int
    random_counts: tuple[int, ...]  # labels for random choice, until each seed has reached the target
    within: float  # seconds after set-up at which the run ends whatever is missing

    @classmethod
    def whole(cls, out: Path, seed: int) -> "Plan":
        """All images, and random choice to the end."""
        counts = (20, 40, 60, 80, 95, *range(110, 451, 15))
        return cls(out.absolute(), seed, None, 22.0, 3, counts, 112.0)

    @classmethod
    def fast(cls, out: Path, seed: int) -> "Plan":
        """A look at the loop in about half a minute: fewer images, a shorter random curve."""
        return cls(out.absolute(), seed, 640, 40.0, 2, (20, 60), 90.0)

    def settings(self) -> Settings:
        """Return the configuration of the run."""
        return settings_from(
            {
                "state": str(self.out / "state"),
                "pipeline": {"name": "demo", "partitions": PARTITIONS},
                "classes": list(CLASSES),
                "transform": {"kind": "image", "height": SIDE, "width": SIDE, "channels": 1},
                "fetch": {"schemes": ["file"], "file_roots": [str(self.out / "data" / "stream")]},
                "model": {"artifacts": str(self.out / "artifacts"), "providers": ["cpu"]},
                "select": {
                    # Every version has an encoder of its own, so scores age: a window holds fresh ones only.
                    "window": {"size": 48},
                    "trigger": {"every": 24},
                    "budget": {"per_round": 3},
                    "strategy": {"name": "margin", "cold_start": "random"},
                    "audit": {"fraction": 0.05},
                    "seed": self.seed,
                },
                "consensus": {"holdout": 0.0},  # 400 images are held out here already
                "retrain": {
                    "min_labels": 10,
                    "min_new_labels": 10,
                    "train": {"mode": "full", "seed": self.seed},
                },
                "oracle": {"truth": "folder", "delay": 0.3, "seed": self.seed},
            },
            "the demo's settings",
        )


@contextmanager
def own_environment() -> Generator[None]:
    """Leave out settings in the environment: they are another pipeline's, and children would obey them."""
    others = {k: v for k, v in os.environ.items() if k == "KAFKA_BOOTSTRAP_SERVERS" or _is_setting(k)}
    for name in others:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(others)


def _is_setting(name: str) -> bool:
    fields = {f"SIFTSTREAM_{field.upper()}" for field in [*Settings.model_fields, "config"]}
    return name.split("__")[0] in fields

"""Stopping: whether more labels still teach the model something."""

from siftstream.strategies.stopping.history import Audit, Evidence, History
from siftstream.strategies.stopping.registry import get_stopping, stopping_class, stopping_names, stopping_of
from siftstream.strategies.stopping.rule import StoppingRule, Verdict

__all__ = [
    "Audit",
    "Evidence",
    "History",
    "StoppingRule",
    "Verdict",
    "get_stopping",
    "stopping_class",
    "stopping_names",
    "stopping_of",
]

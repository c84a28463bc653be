"""Drift: whether the stream is still what the live model was trained on."""

from siftstream.agents.select.drift.rows import Rows
from siftstream.agents.select.drift.settings import DriftSettings
from siftstream.agents.select.drift.watch import Actions, DriftWatch

__all__ = ["Actions", "DriftSettings", "DriftWatch", "Rows"]

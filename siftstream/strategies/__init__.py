"""Which samples are worth a label: pure functions over arrays, one file a strategy."""

from siftstream.strategies.base import Need, Selection, Strategy, Window, take_best
from siftstream.strategies.entropy import Entropy
from siftstream.strategies.k_center import KCenter
from siftstream.strategies.least_confidence import LeastConfidence
from siftstream.strategies.margin import Margin
from siftstream.strategies.registry import get_strategy, strategy_names
from siftstream.strategies.uncertainty import Uncertainty
from siftstream.strategies.uniform import Random

__all__ = [
    "Entropy",
    "KCenter",
    "LeastConfidence",
    "Margin",
    "Need",
    "Random",
    "Selection",
    "Strategy",
    "Uncertainty",
    "Window",
    "get_strategy",
    "strategy_names",
    "take_best",
]

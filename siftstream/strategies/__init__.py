"""Which samples are worth a label: pure functions over arrays, one file a strategy."""

from siftstream.strategies.beside import Labelled, LinearHead, Past, Progress, Tokens
from siftstream.strategies.needs import Need
from siftstream.strategies.registry import get_strategy, strategy_class, strategy_names, strategy_of
from siftstream.strategies.selection import Selection, take_best
from siftstream.strategies.strategy import Family, RowStrategy, ScoreStrategy, Strategy
from siftstream.strategies.window import Window

__all__ = [
    "Family",
    "Labelled",
    "LinearHead",
    "Need",
    "Past",
    "Progress",
    "RowStrategy",
    "ScoreStrategy",
    "Selection",
    "Strategy",
    "Tokens",
    "Window",
    "get_strategy",
    "strategy_class",
    "strategy_names",
    "strategy_of",
    "take_best",
]

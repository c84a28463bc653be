"""The suite that every strategy must pass, a plug-in's too.

A plug-in's whole test is `check_strategy(MyStrategy())`.
"""

from siftstream.strategies.conformance.rules import RULES, check_strategy
from siftstream.strategies.conformance.windows import make_window

__all__ = ["RULES", "check_strategy", "make_window"]

"""Stream rules: whether to ask for a label is decided as each sample arrives, within a labelling budget."""

from siftstream.strategies.rules.registry import get_rule, rule_class, rule_names, rule_of
from siftstream.strategies.rules.rule import Decision, StreamRule
from siftstream.strategies.rules.state import RuleState

__all__ = ["Decision", "RuleState", "StreamRule", "get_rule", "rule_class", "rule_names", "rule_of"]

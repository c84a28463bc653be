"""Heads on embeddings that stay as they are: linear or with one hidden layer. Child process only."""

from siftstream.models.training.heads.fit import FittedHeads, fit_heads, logits_by_folds

__all__ = ["FittedHeads", "fit_heads", "logits_by_folds"]

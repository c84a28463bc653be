"""Uncertainty: a score of each sample's class probabilities alone, in one pass over the window."""

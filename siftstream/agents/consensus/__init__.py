"""Consensus: every annotator's every word becomes one label a sample."""

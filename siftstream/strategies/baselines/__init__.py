"""Baselines and cold start: what every other strategy must beat, and what serves before a model exists."""

"""Combining: strategies made of strategies."""

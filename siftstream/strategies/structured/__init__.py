"""Structured outputs: several labels a sample, a label a token, boxes and numbers."""

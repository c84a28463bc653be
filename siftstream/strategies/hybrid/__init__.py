"""Hybrid: uncertain and diverse at once."""

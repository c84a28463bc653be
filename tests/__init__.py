"""Tests by room; a test is a sentence."""

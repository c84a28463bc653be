"""Diversity: samples that stand for the window, chosen by their embeddings."""

"""Infer: the live model over features, swapped between two batches."""

"""The parts of `python -m benchmarks.strategies`: the window, the peers, one selection, many, tables."""

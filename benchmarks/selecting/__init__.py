"""The parts of `python -m benchmarks.select`: stream, one partition, many, the real stage, tables."""

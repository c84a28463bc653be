"""The parts of `python -m benchmarks.select`: the stream, one life of a partition, many, the real stage, tables."""

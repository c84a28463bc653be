"""Streaming active learning on Kafka: data URIs in, the few samples worth labeling out."""

__version__ = "0.1.0"

"""The same work as one would write it without siftstream: a file a way, each in its own environment."""

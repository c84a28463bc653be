"""The edges: upstream sources, labeling tools, the client and the simulated oracle."""

"""Expected change: what a label would do to the model, and the distance to its decision border."""

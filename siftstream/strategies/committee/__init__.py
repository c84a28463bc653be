"""Committee and Bayesian: where members of the head, or passes with dropout, disagree."""

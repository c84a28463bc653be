"""Select: a sliding window a partition, and the rounds that choose from it."""

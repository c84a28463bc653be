"""The story of one sample, from the topics alone: found by plain consumers, told by pure functions."""

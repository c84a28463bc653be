"""The budget: how many labels may be asked for, in all and at once, over all partitions."""

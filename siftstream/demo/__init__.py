"""The demo: the whole loop on this machine, on real handwriting, beside an honest random baseline."""

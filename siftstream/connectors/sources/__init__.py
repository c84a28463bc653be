"""Upstream sources: where samples lie before they are pushed, one file a kind of source."""

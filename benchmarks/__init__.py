"""Figures that anyone can run again: each file is one command."""

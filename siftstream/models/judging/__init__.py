"""Judging: a candidate beside the live version on samples that neither was trained on, and the verdict."""

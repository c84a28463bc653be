"""Fixtures and checks for all tests, one idea a file."""

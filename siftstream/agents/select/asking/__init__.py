"""Queries from outside: what each partition offers, and how the offers are decided."""

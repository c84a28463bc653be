"""Retrain: whenever the pool has grown enough, learn, judge and publish."""

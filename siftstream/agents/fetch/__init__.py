"""fetch: loads the bytes behind each data URI and turns them into model-ready features."""

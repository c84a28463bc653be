"""What choosing saves: labels used over the labels that random needs for the same accuracy."""

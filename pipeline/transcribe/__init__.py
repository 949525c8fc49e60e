"""Audio to words with times."""

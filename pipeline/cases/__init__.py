"""Orders and the answers to their disputes."""

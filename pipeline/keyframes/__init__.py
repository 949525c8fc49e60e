"""Pictures kept as evidence, and the text on them."""

"""Clips and what proves them."""

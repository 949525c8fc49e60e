"""Recordings and descriptions in: formats, stores, the first hash."""

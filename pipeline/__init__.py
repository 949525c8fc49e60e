"""Livestream-replay evidence indexing: from a recording to claims that open at their moment."""

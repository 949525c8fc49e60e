"""Scoring against labelled broadcasts; the only room that reads labels."""

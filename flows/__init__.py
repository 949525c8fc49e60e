"""Prefect flows that drive the stage plan."""

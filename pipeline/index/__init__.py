"""The disposable view for search."""

"""One normaliser and one tokeniser for all rooms."""

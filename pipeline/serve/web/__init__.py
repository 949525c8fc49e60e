"""Templates, styles, scripts and words of the pages."""

"""The façade and its skins."""

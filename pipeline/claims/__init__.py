"""Lines to claims: rules as data, values, products."""

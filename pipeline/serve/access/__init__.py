"""Who may see what: keys, sessions, roles, the gate, and the record of views."""

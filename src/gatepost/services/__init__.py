"""Business rules: what a verb does to rows, inside one transaction. Knows nothing of HTTP."""

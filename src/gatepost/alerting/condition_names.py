"""The names of those conditions that other alerts may follow from."""

DATABASE, POOL = "database", "pool"

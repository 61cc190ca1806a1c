"""Backups of a PostgreSQL: base backups and the WAL archive, in a folder or a bucket. Outside the request path."""

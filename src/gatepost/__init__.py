"""Gatepost: turns SQLAlchemy models into a production API."""

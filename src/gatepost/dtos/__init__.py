"""Data transfer objects: what a request body may hold, compiled from the declaration. Called by the controllers.

Between controllers and services: turns bytes into Python values or into a refusal that names every violation. Leaves
who may write what to the controllers, and references, ownership and uniqueness to services and the database.
The gate alone reads JSON with two of its modules, so that nothing is imported here: it would load SQLAlchemy's ORM.
"""

"""What is kept of an instance for its operators: changes, history, errors; and the ways by which they come and stay.

Outside the request path. Processes of a server report (`reports.py`) to its monitor, which keeps what they say in files
of a fixed size (`record_files.py`, `snapshots.py`) and copies it behind that to the schema `gatepost` of the database,
over a connection of its own (`records_database.py`).
"""

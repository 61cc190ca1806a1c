"""Logs: the events of the layers and what libraries say, as one stream of lines that cannot be forged.

Cross-cutting, off the request path: subscribes to `events.py`, adopts the standard library's loggers, and knows
no layer. Lines go to one descriptor, written in batches by a thread (`writer.py`); access lines have an encoder of
their own (`access.py`), everything else goes through structlog (`records.py`), which is loaded at the first line.
"""

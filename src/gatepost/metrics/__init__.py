"""Metrics: what the events of all processes of a server amount to, in shared memory, to be scraped.

Cross-cutting, beside the request path: each worker adds to a region of its own (`region.py`, `recorder.py`), which
costs an event two additions; the regions are summed when somebody asks (`exposition.py`). It subscribes to `events.py`
and knows no layer.
"""

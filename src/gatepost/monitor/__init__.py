"""The monitor: one process beside the workers of an instance, which tells operators how they are.

Outside the request path, and without the application: it reads what the workers write into shared memory, and answers
on the admin listener (`admin.py`). It looks after the log files. If it dies it is replaced (`supervision.py`); the
workers serve and log without it.
"""

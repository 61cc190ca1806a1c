"""Serving: Granian in front of an application, with its pitfalls fixed.

An entry point beside the commands, outside of the layers: it finds the application (`loading.py`), opens the port
(`listening.py`), starts the processes (`granian_server.py`), and in each of them the application with its log
(`worker.py`). `python -m gatepost.server` is what `gatepost serve` runs; it loads no command line library.
"""

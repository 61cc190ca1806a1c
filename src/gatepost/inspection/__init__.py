"""Examining a running HTTP server from outside, as an anonymous client sees it: what `gatepost doctor --gate` does.

One module per subject, each with its list of checks. Nothing of the server's code is needed, and nothing that is sent
changes anything: no request is complete enough to be obeyed.
"""

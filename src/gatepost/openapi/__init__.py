"""The API described as OpenAPI, as far as an actor may see it, and what a change of the description breaks.

Outside the request path, except for `served_documents.py`, which keeps encoded documents.
"""

"""`gatepost eject`: what is derived of a resource, written out as source that behaves the same.

Outside the request path. `service_source.py` writes the service, `dto_source.py` the data transfer objects;
`module_source.py` makes a module of it, and `written_types.py` the names in it. What is written uses public names only.
"""

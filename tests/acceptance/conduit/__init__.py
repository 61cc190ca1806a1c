"""RealWorld's API specification as tables of requests, and `examples/conduit` held to them."""

"""RealWorld's Conduit on Gatepost."""

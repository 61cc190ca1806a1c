"""What an application declares: resources, policies, limits, headers, origins, mounts. Values and their checks."""

"""From method and path to the endpoint, and to its handler, under its policy."""

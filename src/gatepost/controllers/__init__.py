"""HTTP to Python and back: parse, validate, call the verb, build the response. Knows no SQL."""

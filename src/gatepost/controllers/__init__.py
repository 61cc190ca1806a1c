"""HTTP to Python and back: parse, validate, call the verb, shape the answer. Knows no SQL."""

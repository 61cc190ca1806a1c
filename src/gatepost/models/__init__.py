"""Tables, what is derived from them, and the statements that read and write them."""

"""Commands: the terminal's way in, beside HTTP. One file per command; `main.py` names them all.

Outside of the request path. What a command does lives in the package that it is about; here are its options, its
tables and its sentences. Libraries are imported inside the commands, so that `--help` does not wait for them.
"""

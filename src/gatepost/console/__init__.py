"""The console: the page in the browser that shows operators how an instance is, and the ways to it.

`web/` are its files, which `console_files.py` serves. The data is that of the admin listener (`monitor/`); a public
listener forwards to it, and signs its readers in.
"""

"""The command line: one file per command, nothing but argument handling.

Every verb of the Python interface has a command of the same name. Results go to stdout, progress
and errors to stderr; the exit status is 0 for a clean run, 1 for findings, 2 for a request that
cannot be carried out, and 130 for one that was stopped by Ctrl-C.
"""

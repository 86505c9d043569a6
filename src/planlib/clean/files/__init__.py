"""Bytes to cells: what a file is, its sheets as stored, and what readers say nothing of.

``confined`` is the way in: a process of its own that runs ``read``. Of other rooms of planlib this one knows only the
errors, so that the confined process is up in an instant and stays small.
"""

"""Curves: every point in the database, and coarser levels beside them, kept in the same transaction.

`storing` writes and forgets, `levels` are the buckets, `thinning` reads a curve in at most so many points, `tables` as
CSV; `bulk` gets many rows into a table.
"""

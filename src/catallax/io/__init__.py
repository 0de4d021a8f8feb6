"""Readers and writers of files, on NumPy and the standard library alone."""

from catallax.io.tables import Table as Table
from catallax.io.tables import read_header as read_header
from catallax.io.tables import read_table as read_table
from catallax.io.tables import write_table as write_table

__all__ = ["Table", "read_header", "read_table", "write_table"]

"""Readers and writers of files, on NumPy and the standard library alone."""

from catallax.io.places import read_places as read_places
from catallax.io.places import read_tours as read_tours
from catallax.io.tables import Table as Table
from catallax.io.tables import read_header as read_header
from catallax.io.tables import read_table as read_table
from catallax.io.tables import write_table as write_table
from catallax.io.tours import read_tour as read_tour
from catallax.io.tours import write_tour as write_tour
from catallax.io.tsplib import TourFile as TourFile
from catallax.io.tsplib import read_tsplib as read_tsplib
from catallax.io.tsplib import write_tsplib as write_tsplib

__all__ = [
    "Table",
    "TourFile",
    "read_header",
    "read_places",
    "read_table",
    "read_tour",
    "read_tours",
    "read_tsplib",
    "write_table",
    "write_tour",
    "write_tsplib",
]

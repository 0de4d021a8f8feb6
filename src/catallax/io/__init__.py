"""Readers and writers of files, on NumPy and the standard library alone."""

from catallax.io.forecasts import ForecastRows as ForecastRows
from catallax.io.forecasts import read_forecasts as read_forecasts
from catallax.io.frames import Frame as Frame
from catallax.io.frames import read_frame as read_frame
from catallax.io.places import read_places as read_places
from catallax.io.places import read_tours as read_tours
from catallax.io.tables import Table as Table
from catallax.io.tables import read_header as read_header
from catallax.io.tables import read_table as read_table
from catallax.io.tours import read_tour as read_tour
from catallax.io.tours import write_tour as write_tour
from catallax.io.tsplib import TourFile as TourFile
from catallax.io.tsplib import read_tsplib as read_tsplib
from catallax.io.tsplib import write_tsplib as write_tsplib
from catallax.io.votes import Votes as Votes
from catallax.io.votes import read_gold as read_gold
from catallax.io.votes import read_votes as read_votes
from catallax.io.writing import write_table as write_table

__all__ = [
    "ForecastRows",
    "Frame",
    "Table",
    "TourFile",
    "Votes",
    "read_forecasts",
    "read_frame",
    "read_gold",
    "read_header",
    "read_places",
    "read_table",
    "read_tour",
    "read_tours",
    "read_tsplib",
    "read_votes",
    "write_table",
    "write_tour",
    "write_tsplib",
]

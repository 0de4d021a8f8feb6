"""Ants on graphs: the map they walk, the ants, and what their trails come to in the long run."""

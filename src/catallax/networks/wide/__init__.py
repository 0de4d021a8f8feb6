"""A wide layer as a crowd: its neurons, and the residual that they are told."""

"""How tours are measured, begun, mended and searched: the kernels below `colony.Tour`, on NumPy and numba."""

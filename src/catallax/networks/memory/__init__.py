"""Associative memory: what a network may hold, its neurons as a society, and the kernels of asynchronous recall."""

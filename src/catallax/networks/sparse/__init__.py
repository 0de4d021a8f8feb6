"""Sparse codes by lateral inhibition: the coder, its dictionary, the ways to a code (one a file), and their certificate."""

"""Groups of layers apart: what passes between them, what each learns of it, and the processes that they live in."""

"""Where competition inside a network helps, and where it does not: criteria written first (CRITERIA.md), then the runs."""

"""What merges are worth: `python -m benchmarks.merging_quality`."""

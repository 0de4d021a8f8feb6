"""What juries are made of: jurors, their evidence, and the exact chances of verdicts."""

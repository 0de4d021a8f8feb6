"""What elections are made of: ballots, results that say their ties, and rules by positions, by runoffs and by pairs."""

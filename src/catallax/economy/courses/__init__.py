"""Course seats: approximate competitive equilibrium from equal incomes, and its parts."""

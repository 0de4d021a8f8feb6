"""Many models trained together: members, what they send, how it is merged, and the problem that all this is."""

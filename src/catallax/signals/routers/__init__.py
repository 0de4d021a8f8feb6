"""Rules that set prices of experts, one a file: each a pure step from bids and prices to new prices."""

"""Parts of games (`economy.games`): equilibria, and players who learn."""

"""Parts of routing (`economy.routing`): roads, and who takes which."""

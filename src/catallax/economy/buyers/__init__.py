"""Parts of markets with budgets (`economy.fisher`): who buys, how prices move, who judges."""

"""Parts of exchange economies (`economy.exchange`): who trades, how prices move, who judges."""

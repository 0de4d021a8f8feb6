"""What `MarketNet` is made of: a ledger, modules, their bids, the rule that hands out inputs, one round."""

"""How suppliers of a `ProductionNetwork` live: what they learn from, how shares move, who goes bankrupt."""

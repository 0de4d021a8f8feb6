"""The exact rule: the prices that the best routing itself proves.

Quantile balancing comes near on the host; the chains of moves that are left (`repair`) end at the routing of greatest welfare
together with prices at which every token has what it wants most:

    sum_j c_j p_j + sum_i (sum of the k largest of s_ij - p_j) = welfare        to rounding, and the caller checks it in float64

Tokens that are torn between two experts at those prices are what prices alone cannot settle.
"""

import numpy as np
from jaxtyping import Float, Int

from catallax.signals.routers.terms import Terms


def repaired(
    net: Float[np.ndarray, "tokens experts"],
    prices: Float[np.ndarray, " experts"],
    capacity: Int[np.ndarray, " experts"],
    choice: Int[np.ndarray, "tokens k"],
    terms: Terms,
) -> tuple[Int[np.ndarray, "tokens k"], Float[np.ndarray, " experts"], int]:
    """The best routing within capacities from the choice at `prices`; (it, prices that prove it, moves made).

    -1 stands for nobody in `choice` and in what is returned. Prices must be in their range (`terms.in_range`).
    """
    from catallax.signals.routers.repair import balance

    tokens, experts = net.shape
    room = int(capacity.sum()) - tokens * terms.k
    out = experts if terms.opt_out else -1
    if terms.opt_out:  # nobody is a column too, worth nothing and with room for all
        net = np.column_stack([net, np.zeros(tokens)])
        capacity = np.append(capacity, tokens * terms.k)
        prices = np.append(prices, 0.0)
    level = np.append(prices, 0.0)
    slots = np.ascontiguousarray(np.where(choice < 0, experts, choice))
    moves, served = balance(net, level, slots, capacity, out, terms.opt_out or room > 0)
    if not served:
        raise RuntimeError("a routing that respects capacities was not found though there is room for all")
    level = level[:experts] - (level[-1] if terms.opt_out or room > 0 else level[:experts].min())
    return np.where(slots == experts, -1, slots), np.maximum(level, 0), int(moves)

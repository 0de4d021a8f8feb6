"""After specialising, experts trade inputs: what each gains against autarky, and whether nobody loses.

Each input belongs to an expert. In autarky everyone works on its own; in the market inputs are sold to whom they are worth most,

    v_ij = baseline_i - loss_ij                         what expert j makes of input i [nats]
    p_j  clears the market for capacity (`signals.routing.clear`, exact),      q_i = max_j (v_ij - p_j): price of input i
    traded_j = sum of v_ij - q_i over what j works on + sum of q_i over what it owned
    profit_j = traded_j - autarky_j,    autarky_j = sum of v_ij over what it owned

With v known to all and room for no less than its own inputs, nobody loses: v_ij <= q_i + p_j for every pair, so autarky_j is at
most sum q_i + c_j p_j = traded_j. Where bids are only beliefs (`believed`), trade is at prices of beliefs, what counts is the
realised loss, and an expert may lose: then `compensation` says what winners would pay losers, if trade as a whole gained.

L. Shapley and M. Shubik, The assignment game I: the core, Int. J. Game Theory 1, 1971; N. Kaldor, Economic J. 49, 1939.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from catallax.core.errors import BadInput
from catallax.signals.routing import clear, load_of

ROUNDING = 1e-9  # of the largest value: what is not called a loss


class Trade(NamedTuple):
    """`worker` [inputs]: who works on each after trade, -1 nobody; `input_prices` [inputs], `capacity_prices` [experts];
    `autarky` and `traded` [experts]: what each has without and with trade, in the unit of the loss; `gap` of the
    certificate of the prices (relative, on what was believed).
    """

    worker: Int[np.ndarray, " inputs"]
    input_prices: Float[np.ndarray, " inputs"]
    capacity_prices: Float[np.ndarray, " experts"]
    autarky: Float[np.ndarray, " experts"]
    traded: Float[np.ndarray, " experts"]
    gap: float

    @property
    def profit(self) -> Float[np.ndarray, " experts"]:
        """What trade adds for each."""
        return self.traded - self.autarky

    @property
    def losers(self) -> Int[np.ndarray, " losers"]:
        """Who is worse off than without trade."""
        scale = max(float(np.abs(self.autarky).max()), float(np.abs(self.traded).max()))
        return np.flatnonzero(self.profit < -ROUNDING * scale)

    @property
    def pareto(self) -> bool:
        """Whether trade gained something and nobody lost."""
        return not self.losers.size and float(self.profit.sum()) > 0

    @property
    def compensation(self) -> Float[np.ndarray, " experts"]:
        """What each would get (+) or pay (-) so that nobody loses, winners in proportion to what they won; it sums to 0.

        NaN where all together lost: nothing could then make up for it.
        """
        won, lost = np.maximum(self.profit, 0), np.maximum(-self.profit, 0)
        if lost.sum() > won.sum():
            return np.full(len(won), np.nan)
        return lost - won * (lost.sum() / won.sum() if won.sum() else 0.0)


def trade_inputs(
    loss: Any, owner: Any, *, believed: Any = None, baseline: Any = 0.0, capacity: Any = None, opt_out: bool = False
) -> Trade:
    """Trade of inputs between experts, against autarky.

    `loss` [inputs, experts]: realised loss of each expert on each input; `owner` [inputs]: whose it is at first;
    `believed` [inputs, experts]: the losses that bids are made of (default: the realised ones); `baseline` [inputs] or one: the
    loss of an input on which nobody works; `capacity` [experts]: inputs that each can work on (default: as many as it
    owns); `opt_out`: an input may be left to the baseline. Raises `BadInput` for wrong shapes, numbers that are not finite, an
    owner that does not exist, and capacities below what an expert owns.
    """
    made = baseline_of(baseline, loss)[:, None] - matrix(loss, "loss", None)
    bids = made if believed is None else baseline_of(baseline, loss)[:, None] - matrix(believed, "believed", made.shape)
    inputs, experts = made.shape
    whose = owners(owner, inputs, experts)
    owned = load_of(whose, experts)
    room = owned if capacity is None else np.broadcast_to(np.asarray(capacity), (experts,))
    if (room < owned).any():
        j = int(np.flatnonzero(room < owned)[0])
        raise BadInput(
            f"capacity[{j}] is {room[j]} and expert {j} owns {owned[j]} inputs: give it room for what it owns"
        )
    found = clear(bids, room, opt_out=opt_out)
    worker = found.assignment[:, 0]
    prices = (bids - found.prices).max(1)
    prices = np.maximum(prices, 0) if opt_out else prices
    own = made[np.arange(inputs), whose]
    own = np.where(bids[np.arange(inputs), whose] > 0, own, 0) if opt_out else own
    worked = np.flatnonzero(worker >= 0)
    earned = made[worked, worker[worked]] - prices[worked]
    traded = np.bincount(whose, prices, experts) + np.bincount(worker[worked], earned, experts)
    return Trade(worker, prices, found.prices, np.bincount(whose, own, experts), traded, found.gap)


def baseline_of(baseline: Any, loss: Any) -> Float[np.ndarray, " inputs"]:
    """One number an input."""
    given = np.asarray(baseline, np.float64)
    inputs = len(np.asarray(loss))
    if given.shape not in ((), (inputs,)) or not np.isfinite(given).all():
        raise BadInput(
            f"baseline has shape {list(given.shape)}: give one finite number, or one for each of {inputs} inputs"
        )
    return np.array(np.broadcast_to(given, (inputs,)))


def matrix(values: Any, name: str, shape: Any) -> Float[np.ndarray, "inputs experts"]:
    """Finite losses [inputs, experts]."""
    given = np.asarray(values, np.float64)
    if given.ndim != 2 or given.size == 0 or (shape is not None and given.shape != shape):
        wanted = "[inputs, experts], at least one of each" if shape is None else list(shape)
        raise BadInput(f"{name} has shape {list(given.shape)}: give {wanted}")
    if not np.isfinite(given).all():
        i, j = np.argwhere(~np.isfinite(given))[0].tolist()
        raise BadInput(f"{name}[{i}, {j}] is {float(given[i, j])!r}: give finite losses")
    return given


def owners(owner: Any, inputs: int, experts: int) -> Int[np.ndarray, " inputs"]:
    """Who owns each input."""
    given = np.asarray(owner)
    if given.shape != (inputs,):
        raise BadInput(f"owner has shape {list(given.shape)}: give one expert for each of {inputs} inputs")
    wrong = ~((given >= 0) & (given < experts) & (given == np.floor(given)))
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        raise BadInput(f"owner[{i}] is {given[i]}: give the number of an expert, 0 to {experts - 1}")
    return given.astype(np.int64)

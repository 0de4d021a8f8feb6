"""How much of a signal is one agent's own? The share of the summary that goes when it falls silent.

    influence_i = max over entries k of |listen([a_i])_k| / sum_j |listen([a_j])_k|

For sums and counts. 1 is a dictator, 1/n an equal among n.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.errors import Refused
from catallax.core.random import key as make_key
from catallax.core.round import alone, answers, whole
from catallax.core.society import HostSociety, Society, as_arrays


def influence(society: Society) -> np.ndarray:
    """Each agent's share of the summary, [agents] (one population), at the society's own signal.

    Agents that define `influence()` say it themselves. Raises `Refused` for agents on the host that do not.
    """
    if isinstance(society, HostSociety) or hasattr(society.agents, "influence"):
        return on_the_host(society.agents)
    society = as_arrays(society)
    return np.asarray(_influence(society))


def on_the_host(agents: Any) -> np.ndarray:
    """What agents on the host say of themselves."""
    own = getattr(agents, "influence", None)
    if own is None:
        raise Refused(
            f"{type(agents).__name__} acts on the host and does not say how much of the signal is each one's own: it "
            "does not define influence()"
        )
    return np.asarray(own(), np.float64)


@jax.jit
def _influence(society: Society) -> Any:
    _, actions = answers(society, whole(society, None, None), society.signal.public(), make_key(0))
    one = jax.vmap(lambda a: society.signal.listen(jax.tree.map(lambda x: x[None], a)))(alone(society, actions))
    parts = jnp.concatenate([jnp.abs(x).reshape(x.shape[0], -1) for x in jax.tree.leaves(one)], axis=1)
    total = parts.sum(0)
    return jnp.max(jnp.where(total > 0, parts / jnp.where(total > 0, total, 1), 0), axis=1)

"""Where equilibria of games of two can be: vertices of the two best-response polytopes whose labels complete each other.

With payoffs A, B > 0 [m, n], scaled so that the best answer earns 1,

    P = {x >= 0, B' x <= 1}     label i where x_i = 0, label m + j where column j is a best answer to x
    Q = {y >= 0, A y <= 1}      label m + j where y_j = 0, label i where row i is a best answer to y

(x, y) other than (0, 0) is an equilibrium, up to scale, where together they have all m + n labels: every action is a best
answer or not played. In a nondegenerate game a vertex has exactly m (n) labels, so its partner is found by looking up the
rest. Vertices are the facets of the polar polytope, a convex hull (Qhull); each is a set of labels.

B. von Stengel, Computing equilibria for two-person games, Handbook of Game Theory 3, 2002 (vertex enumeration).
C. Barber, D. Dobkin and H. Huhdanpaa, The Quickhull algorithm for convex hulls, ACM Trans. Math. Software 22, 1996.
"""

import numpy as np
from jaxtyping import Float, Int

MOST = 28  # labels: 14 x 14 actions take about half a second, and each action more on both sides twice as long or worse
FLAT = 1e-9  # two facets with equations this near are one: the vertex has more labels than it should


def complementary(payoffs: Float[np.ndarray, "2 m n"]) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """The supports (rows, columns) of all equilibria of a nondegenerate game; None of a degenerate one, or one too large.

    `payoffs`: of the two, each with a range of at most 1.
    """
    m, n = payoffs.shape[1:]
    if min(m, n) < 2 or m + n > MOST:
        return None
    row, column = (own - own.min() + 1 for own in payoffs)
    first, second = labels(column.T, np.arange(m + n)), labels(row, np.roll(np.arange(m + n), -m))
    if first is None or second is None:
        return None
    one, other = ((1 << found).sum(1) for found in (first, second))
    order = np.argsort(other)
    missing = 2 ** (m + n) - 1 - one
    place = order[np.minimum(np.searchsorted(other[order], missing), len(other) - 1)]
    pairs = np.flatnonzero((other[place] == missing) & (missing != missing_at_origin(m, n)))
    return [
        (np.setdiff1d(np.arange(m), first[k]), np.setdiff1d(np.arange(m, m + n), second[place[k]]) - m) for k in pairs
    ]


def missing_at_origin(m: int, n: int) -> int:
    """The labels that x = 0 has not got: those of all columns."""
    return (1 << (m + n)) - (1 << m)


def labels(
    payoffs: Float[np.ndarray, "k d"], names: Int[np.ndarray, " labels"]
) -> Int[np.ndarray, "vertices d"] | None:
    """The d labels of every vertex of {z >= 0, payoffs z <= 1}, d inequalities first; None where one has more than d."""
    from scipy.spatial import ConvexHull, QhullError

    k, d = payoffs.shape
    inside = np.full(d, 0.5 / (payoffs.max() * d))
    normals = np.concatenate([-np.eye(d), payoffs])
    room = np.concatenate([np.zeros(d), np.ones(k)]) - normals @ inside
    try:
        hull = ConvexHull(normals / room[:, None])
    except QhullError:
        return None
    facets = hull.equations
    one, place = np.nonzero(np.abs(facets[hull.neighbors, -1] - facets[:, -1:]) < FLAT)  # by offset first: few pass
    if (np.abs(facets[one] - facets[hull.neighbors[one, place]]).max(1) < FLAT).any():
        return None
    return names[hull.simplices]

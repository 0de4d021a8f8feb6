"""Who trades: members of every kind behind one way to ask what they offer, and one to let them learn.

Offers are log-probabilities over `classes`, [rows, outcomes]; NaN on a row says that the member is asleep there. A member may
have two methods beside scikit-learn's: `log_offers(X)` in place of the logarithm of `predict_proba(X)`, and
`offer_and_learn(X, codes)`, which offers on each row and learns it before it goes to the next; `codes` count from 0 in the
order of classes. A learner without it is asked, then taught.
"""

from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from catallax.core.errors import BadInput

Array = np.ndarray
SURPLUS = 1e-6  # by which the logarithm of a probability may exceed 0: float32 does


class Traders:
    """Members by name, in order; who of them learns, and who has learnt anything yet."""

    def __init__(self, classes: Array) -> None:
        self.classes = classes
        self.members: dict[str, Any] = {}
        self._learners: set[str] = set()
        self._met: set[str] = set()

    def add(self, name: str, member: Any) -> None:
        """A member comes in: itself where it does not learn, a copy where it does. Raises `BadInput` where it cannot offer."""
        if isinstance(member, FrozenEstimator) or not hasattr(member, "predict_proba"):
            if not hasattr(member, "predict_proba") and not callable(member):
                raise BadInput(f"member {name!r} neither has predict_proba nor can be called: give one that offers")
            self.members[name] = member
            return
        fitted = is_fitted(member)
        if not hasattr(member, "partial_fit"):
            if not fitted:
                raise BadInput(f"member {name!r} has no partial_fit and is not fitted: fit it first")
            self.members[name] = member
            return
        self.members[name] = deepcopy(member) if fitted else clone(member)
        self._learners.add(name)
        if fitted:
            self._met.add(name)

    def remove(self, name: str) -> None:
        """A member goes."""
        del self.members[name]
        self._learners.discard(name)
        self._met.discard(name)

    @property
    def stepwise(self) -> bool:
        """Whether somebody must be asked and taught in turns."""
        return any(not hasattr(self.members[name], "offer_and_learn") for name in self._learners)

    def offers(self, X: Any) -> Array:
        """What all offer, [rows, members, outcomes]; nothing is learnt."""
        return np.stack([self._offer(name, X) for name in self.members], axis=1)

    def offers_then_learning(self, X: Any, came: Array) -> Array:
        """The same, and then all who learn have learnt the rows."""
        at_once = {name for name in self._learners if hasattr(self.members[name], "offer_and_learn")}
        logs = []
        for name, member in self.members.items():
            if name in at_once:
                logs.append(self._checked(name, member.offer_and_learn(X, came), len(X)))
                self._met.add(name)
            else:
                logs.append(self._offer(name, X))
        self.learn(X, came, but=at_once)
        return np.stack(logs, axis=1)

    def learn(self, X: Any, came: Array, but: set[str] | frozenset[str] = frozenset()) -> None:
        """Those who learn are taught rows, but for some."""
        y = self.classes[came]
        for name in self.members:
            if name not in self._learners or name in but:
                continue
            member = self.members[name]
            if hasattr(member, "offer_and_learn"):
                member.offer_and_learn(X, came)
            elif name in self._met:
                member.partial_fit(X, y)
            else:
                member.partial_fit(X, y, classes=self.classes)
            self._met.add(name)

    def _offer(self, name: str, X: Any) -> Array:
        member, outcomes = self.members[name], len(self.classes)
        if name in self._learners and name not in self._met:  # it has seen nothing yet
            return np.full((len(X), outcomes), -np.log(outcomes))
        if not hasattr(member, "predict_proba"):
            return self._checked(name, np.asarray(member(X), float), len(X))
        if hasattr(member, "log_offers"):
            return self._checked(name, member.log_offers(X), len(X))
        p = np.asarray(member.predict_proba(X), float)
        whole = np.zeros((len(X), outcomes))
        own = np.asarray(getattr(member, "classes_", self.classes))
        places = np.minimum(np.searchsorted(self.classes, own), outcomes - 1)
        if len(own) != p.shape[1] or (self.classes[places] != own).any():
            raise BadInput(f"member {name!r} knows classes that the market does not: name all classes at first")
        whole[:, places] = p
        with np.errstate(divide="ignore"):
            return np.log(whole)

    def _checked(self, name: str, log: Array, rows: int) -> Array:
        if log.shape != (rows, len(self.classes)):
            raise BadInput(
                f"member {name!r} offers {list(log.shape)} on {rows} rows and {len(self.classes)} classes: "
                "give log-probabilities [rows, classes]"
            )
        if (log > SURPLUS).any():
            raise BadInput(f"member {name!r} offers what are no log-probabilities: give numbers of at most 0")
        return log


def is_fitted(member: Any) -> bool:
    """Whether an estimator has been fitted."""
    try:
        check_is_fitted(member)
    except (NotFittedError, TypeError):
        return False
    return True

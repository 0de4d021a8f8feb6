"""A price: a rule that has been fitted, and can be asked who moves it."""

import abc

from catallax.ensembles.offers import Array, Receipt


class Price(abc.ABC):
    """What members' beliefs [rows, members, outcomes] come to on the market."""

    @abc.abstractmethod
    def price(self, belief: Array) -> Array:
        """[rows, members, outcomes] -> [rows, outcomes], summing to one."""

    @abc.abstractmethod
    def shares(self) -> Array:
        """Each member's part in what moves the price, [members], summing to one."""

    @abc.abstractmethod
    def without(self, member: int) -> "Price":
        """The same market, one member silent; the others do what they did."""

    @abc.abstractmethod
    def receipt(self, belief: Array) -> Receipt:
        """Who moved each price, and what each gains by each outcome."""

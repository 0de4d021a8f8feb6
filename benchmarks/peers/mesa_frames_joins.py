"""The kinetic wealth model in mesa-frames by Polars' own expressions, the fast form of its examples.

In place of assignments through masks (`mesa_frames_wealth.py`) the receivers' gifts are joined to the frame.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import mesa_frames_wealth
import polars as pl
from mesa_frames_wealth import Economy, advance, wealth
from timing import answer


class People(mesa_frames_wealth.People):
    """All traders: a frame with a row each."""

    def give(self):
        self.select(pl.col("wealth") > 0)
        givers = self.active_agents["unique_id"]
        receivers = self.agents.sample(n=len(givers), with_replacement=True)
        gifts = receivers.group_by("unique_id").len()
        gave = pl.col("unique_id").is_in(givers.implode())
        self.agents = self.agents.with_columns(wealth=pl.col("wealth") - gave)
        got = self.agents.join(gifts, on="unique_id", how="left").with_columns(pl.col("len").fill_null(0))
        self.agents = got.with_columns(wealth=pl.col("wealth") + pl.col("len")).drop("len")


if __name__ == "__main__":
    mesa_frames_wealth.People = People
    answer(Economy, advance, wealth, "mesa-frames", "polars")

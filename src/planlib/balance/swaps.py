"""Units that change places one by one in the best order: exact for separable convex costs."""

import heapq
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from planlib.balance.measure import Array

Step = Callable[[int, float], float]
Entry = tuple[int, float, int]


def best_swaps(
    area: npt.NDArray[np.intp], start: Array, low: Array, high: Array, step: Step
) -> Iterator[tuple[bool, float, int, int]]:
    """Give swaps of one unit inside an area: forced ones first, then by what they take off the total cost.

    In an area the units that take off most leave first and those that add least arrive first. Costs are convex,
    so both lists are ordered, the gains of successive swaps fall, and merging the areas by gain is the best
    choice for every number of swaps.

    Parameters
    ----------
    area : ndarray of int
        Area of each place.
    start, low, high : ndarray
        Units at each place, and their bounds; a start outside its bounds forces swaps.
    step : callable
        ``step(i, y)``: cost of going from y to y + 1 units at place i; rising in y.

    Yields
    ------
    tuple
        Whether it is forced, the gain (cost taken off), who gives, who takes.
    """
    sides = [_Area(np.flatnonzero(area == a).tolist(), start, low, high, step) for a in range(int(area.max()) + 1)]
    waiting = [(swap, a) for a, side in enumerate(sides) if (swap := side.next_swap())]
    heapq.heapify(waiting)
    while waiting:
        (rank, minus_gain, giver, taker), a = heapq.heappop(waiting)
        yield rank == 0, -minus_gain, giver, taker
        following = sides[a].next_swap()
        if following:
            heapq.heappush(waiting, (following, a))


class _Area:
    """The units of one area, in the order in which they leave and arrive."""

    def __init__(self, places: list[int], start: Array, low: Array, high: Array, step: Step) -> None:
        self.step = step
        self.low = {i: float(low[i]) for i in places}
        self.high = {i: float(high[i]) for i in places}
        self.left = {i: float(start[i]) for i in places}
        self.arrived = dict(self.left)
        self.leaving = [entry for i in places if (entry := self._leave(i))]
        self.arriving = [entry for i in places if (entry := self._arrive(i))]
        heapq.heapify(self.leaving)
        heapq.heapify(self.arriving)

    def _leave(self, i: int) -> Entry | None:
        y = self.left[i]
        return (int(y <= self.high[i]), -self.step(i, y - 1), i) if y > self.low[i] else None

    def _arrive(self, i: int) -> Entry | None:
        y = self.arrived[i]
        return (int(y >= self.low[i]), self.step(i, y), i) if y < self.high[i] else None

    def next_swap(self) -> tuple[int, float, int, int] | None:
        """Return (0 if forced, −gain, giver, taker), or None when one of the lists is empty."""
        if not self.leaving or not self.arriving:
            return None
        rank_out, minus_gain, giver = heapq.heappop(self.leaving)
        rank_in, cost, taker = heapq.heappop(self.arriving)
        self.left[giver] -= 1
        self.arrived[taker] += 1
        for waiting, entry in ((self.leaving, self._leave(giver)), (self.arriving, self._arrive(taker))):
            if entry:
                heapq.heappush(waiting, entry)
        return min(rank_out, rank_in), minus_gain + cost, giver, taker

"""Accuracy against multiplications: what one kind of network gains over another at equal cost, not at equal size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

from seelike.intervals import Estimate, Share, unpaired


def at_equal_cost(ours: Sequence[Share], cost: float, family: Mapping[float, Sequence[Share]]) -> Estimate:
    """Accuracy of a network minus that of another family at as many multiplications (Guo et al. 2021, Sec. 4.2, Table 3).

    ours: starts of the network, cost: its multiplications. family: starts of the other networks by their multiplications; between the two
    sizes around `cost` accuracy is taken to be linear in the logarithm of the cost. Starts of all three groups are unrelated
    (`intervals.unpaired`). ValueError where the family has no smaller or no larger network.
    """
    below, above = [c for c in family if c <= cost], [c for c in family if c >= cost]
    if not below or not above:
        raise ValueError(f"Equal cost needs networks of less and of more than {cost:.3g} multiplications, got {sorted(family)}.")
    low, high = max(below), min(above)
    if low == high:
        return unpaired([ours, family[low]])
    share = log(cost / low) / log(high / low)
    return unpaired([ours, family[low], family[high]], (1.0, share - 1.0, -share))

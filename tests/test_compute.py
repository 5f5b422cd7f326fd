"""Accuracy at equal cost."""

import pytest

from seelike.compute import at_equal_cost
from seelike.intervals import Share, unpaired


def group(*accuracies):
    return [Share(a, 2000) for a in accuracies]


def test_a_family_on_a_line_is_read_off_between_its_sizes():
    family = {1e6: group(0.5, 0.5), 4e6: group(0.7, 0.7), 64e6: group(0.9, 0.9)}  # linear in log cost between neighbours
    assert at_equal_cost(group(0.65, 0.65), 2e6, family).estimate == pytest.approx(0.65 - 0.6)
    assert at_equal_cost(group(0.65, 0.65), 16e6, family).estimate == pytest.approx(0.65 - 0.8)
    ours, same = group(0.8, 0.9), group(0.6, 0.8)
    assert at_equal_cost(ours, 4e6, {4e6: same}) == unpaired([ours, same])


def test_a_dear_network_that_is_more_accurate_gains_nothing_at_equal_cost():
    family = {1e6: group(0.5, 0.52), 100e6: group(0.9, 0.92)}
    line = at_equal_cost(group(0.71, 0.71), 10e6, family)
    assert line.estimate == pytest.approx(0, abs=1e-9) and line.low < 0 < line.high
    assert at_equal_cost(group(0.71, 0.71), 2e6, family).estimate > 0.1


def test_no_size_on_one_side_is_a_sentence():
    with pytest.raises(ValueError, match=r"less and of more than 2e\+06 multiplications, got \[1000000.0\]"):
        at_equal_cost(group(0.5), 2e6, {1e6: group(0.4)})

"""The matrix is complete, and its list of studies is the same in every run."""

import itertools

from tests.matrix.cover import FACTORS, IMPOSSIBLE, pairwise


def test_every_value_meets_every_other_value():
    cases = pairwise()
    met = {frozenset(pair) for case in cases for pair in itertools.combinations(case.items(), 2)}
    for one, other in itertools.combinations(FACTORS, 2):
        for pair in itertools.product(FACTORS[one], FACTORS[other]):
            wanted = frozenset(zip((one, other), pair, strict=True))
            assert (wanted in met) != (wanted in IMPOSSIBLE), pair
    assert pairwise() == cases
    assert len(cases) < 40


def test_two_factors_need_every_pair():
    assert pairwise({"a": "xy", "b": "123"}, {}) == [
        {"a": a, "b": b} for a, b in itertools.product("xy", "123")
    ]

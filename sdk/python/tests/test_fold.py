"""The fold: deltas added up give exactly the rows that are there."""

import random

import pytest

from arqonbus import Change, FoldError, Multiset

EU_1 = {"region": "EU", "orders": 1}
EU_2 = {"region": "EU", "orders": 2}
US_1 = {"region": "US", "orders": 1}


def change(diff, row, epoch=7):
    return Change(epoch, diff, row)


def test_multiplicities_are_exact():
    rows = Multiset()
    rows.apply([change(+2, EU_1), change(+1, US_1)])
    rows.apply([change(-1, EU_1)])
    assert rows.counts() == [(EU_1, 1), (US_1, 1)]
    rows.apply([change(+4, US_1)])
    assert len(rows) == 6
    assert rows.rows() == [EU_1] + [US_1] * 5
    rows.apply([change(-1, EU_1), change(-5, US_1)])
    assert len(rows) == 0 and rows.rows() == []


def test_order_of_fields_does_not_count_but_types_do():
    rows = Multiset()
    rows.apply([change(+1, {"a": 1, "b": "1"}), change(-1, {"b": "1", "a": 1})])
    assert len(rows) == 0
    rows.apply([change(+1, {"a": 1}), change(+1, {"a": True}), change(+1, {"a": "1"})])
    assert len(rows.counts()) == 3


def test_order_within_a_batch_does_not_count():
    rows = Multiset(key="region")
    rows.apply([change(+1, EU_1)])
    rows.apply([change(+1, EU_2), change(-1, EU_1)])
    assert rows.get("EU") == EU_2
    rows.apply([change(-1, EU_2), change(+1, EU_1)])
    assert rows.get("EU") == EU_1


def test_a_retraction_of_nothing_is_a_fault_of_a_whole_batch():
    rows = Multiset()
    rows.apply([change(-1, EU_1)], complete=False)
    rows.apply([change(+1, EU_1)], complete=True)
    with pytest.raises(FoldError, match="-1 times"):
        rows.apply([change(-1, EU_1)])


def test_the_key_finds_one_row():
    rows = Multiset(key=["region"])
    rows.apply([change(+1, EU_1), change(+1, US_1)])
    assert rows.get("US") == US_1
    assert rows.get("ASIA") is None
    assert rows.get("ASIA", default={}) == {}
    rows.apply([change(+1, EU_2)])
    with pytest.raises(LookupError, match="2 rows"):
        rows.get("EU")
    with pytest.raises(LookupError, match="not 2 values"):
        rows.get("EU", 1)
    with pytest.raises(LookupError, match="no key"):
        Multiset().get("EU")
    with pytest.raises(FoldError, match="orders"):
        Multiset(key="orders").apply([change(+1, {"region": "EU"})])


@pytest.mark.parametrize("seed", range(20))
def test_the_fold_is_the_sum_however_it_is_cut(seed):
    chance = random.Random(seed)
    there, log = [], []
    for epoch in range(1, 200):
        if there and chance.random() < 0.45:
            log.append(change(-1, there.pop(chance.randrange(len(there))), epoch))
        else:
            row = {"key": chance.randrange(8), "value": chance.randrange(3)}
            there.append(row)
            log.append(change(+1, row, epoch))
    rows = Multiset(key="key")
    while log:
        n_changes = chance.randint(1, 12)
        batch, log = log[:n_changes], log[n_changes:]
        chance.shuffle(batch)
        rows.apply(batch)

    def order(row):
        return (row["key"], row["value"])

    assert sorted(rows.rows(), key=order) == sorted(there, key=order)
    for key in range(8):
        different = {order(row) for row in there if row["key"] == key}
        if len(different) == 1:
            assert order(rows.get(key)) in different
        elif not different:
            assert rows.get(key) is None

"""The comparison itself: what must differ differs, what is close is equal."""

import decimal

import pytest

from relation import Wanted, assert_equal, read_csv

D = decimal.Decimal


def test_order_and_last_bits_do_not_count():
    assert_equal([("b", 2.0), ("a", 0.1 + 0.2)], [("a", 0.3), ("b", 2.0)])
    assert_equal([(None, 1), ("a", None)], [("a", None), (None, 1)])


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        ([("a", D("1.00"))], [("a", D("1.01"))]),
        ([("a", 1.0)], [("a", 1.00001)]),
        ([("a", 1)], []),
        ([("a", 1), ("a", 1)], [("a", 1)]),
        ([("a", None)], [("a", 0)]),
    ],
)
def test_what_differs_is_found(got, wanted):
    with pytest.raises(AssertionError):
        assert_equal(got, wanted)


def test_columns_are_found_by_their_names(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('b,a\n"x, y",1.50\n,2.00\n', encoding="utf-8")
    columns = {"a": "decimal", "b": "str"}
    assert read_csv(path, columns, optional=["b"]) == [(D("1.50"), "x, y"), (D("2.00"), None)]
    with pytest.raises(AssertionError):
        read_csv(path, {"a": "decimal"})


def test_only_the_bytes_that_were_equal_are_not_read_again(tmp_path):
    path, columns = tmp_path / "x.csv", {"a": "int"}
    wanted = Wanted([(1,), (2,)])
    for text in ("a\n1\n2\n", "a\n1\n2\n", "a\n2\n1\n"):
        path.write_text(text, encoding="utf-8")
        wanted.check(path, columns)
    for _ in range(2):
        path.write_text("a\n1\n3\n", encoding="utf-8")
        with pytest.raises(AssertionError):
            wanted.check(path, columns)

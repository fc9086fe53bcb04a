"""Relations read from files and compared: decimals exactly, floats to a relative 1e-9."""

import csv
import datetime
import decimal
import hashlib
import math
from collections import Counter

FLOAT_ERROR = 1e-9

PARSERS = {
    "int": int,
    "float": float,
    "decimal": decimal.Decimal,
    "date": datetime.date.fromisoformat,
    "time": lambda text: datetime.datetime.fromisoformat(text.removesuffix("Z")),
    "str": str,
}


def read_csv(path, columns, optional=()):
    """The rows of a CSV file as tuples in the order of `columns`, a map of name to type.

    An empty cell of an optional column is none.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames is not None, f"{path} is empty"
        assert set(reader.fieldnames) == set(columns), f"{path}: {reader.fieldnames}"
        return [
            tuple(
                None if cells[name] == "" and name in optional else PARSERS[kind](cells[name])
                for name, kind in columns.items()
            )
            for cells in reader
        ]


class Wanted:
    """The oracle's rows, held against files of answers.

    The same bytes are the same rows: a file like one that was found equal is not read again.
    """

    def __init__(self, rows):
        self.rows = rows
        self._equal = set()

    def check(self, path, columns, optional=()):
        """Fails unless the file has the wanted rows; its columns are as `read_csv` takes them."""
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest not in self._equal:
            assert_equal(read_csv(path, columns, optional), self.rows)
            self._equal.add(digest)


def assert_equal(got, wanted):
    """The same rows, in whatever order; fails with the rows that only one side has."""
    got, wanted = list(map(tuple, got)), list(map(tuple, wanted))
    only_got = list((Counter(got) - Counter(wanted)).elements())
    only_wanted = list((Counter(wanted) - Counter(got)).elements())
    if not only_got and not only_wanted:
        return
    # What differs may differ by the last bits of a float alone.
    only_got, only_wanted = sorted(only_got, key=_order), sorted(only_wanted, key=_order)
    close = len(got) == len(wanted) and all(map(_close_rows, only_got, only_wanted))
    assert close, (
        f"{len(got)} rows, {len(wanted)} wanted\nonly ours: {only_got[:5]}\n"
        f"only the oracle's: {only_wanted[:5]}"
    )


def _order(row):
    """Floats last, and none first, so that rows which are close come to stand side by side."""
    exact = [_cell_order(cell) for cell in row if not isinstance(cell, float)]
    return exact, [_cell_order(cell) for cell in row if isinstance(cell, float)]


def _cell_order(cell):
    return (cell is not None, 0 if cell is None else cell)


def _close_rows(left, right):
    return len(left) == len(right) and all(map(_close_cells, left, right))


def _close_cells(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=FLOAT_ERROR, abs_tol=0.0)
    return left == right and isinstance(left, type(right))

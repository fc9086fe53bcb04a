"""Rows between Python and JSON.

Going out, a few Python types are written the way the bus reads them: `Decimal`, `datetime` (with
a zone), `date`, `timedelta`, `UUID`, `bytes`, enums, NaN, the infinities, and numbers of numpy.
Coming in, a value stays what JSON makes of it, because a frame does not say its field's type; a
caller who knows it gives a converter for each field.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import enum
import math
import uuid
from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]
Types = Mapping[str, Callable[[Any], Any]]


def to_json(value: Any) -> Any:
    """The JSON form of a value.

    >>> to_json({"amount": decimal.Decimal("30.00"), "day": datetime.date(2026, 1, 31)})
    {'amount': '30.00', 'day': '2026-01-31'}
    """
    match value:
        case enum.Enum():
            return to_json(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return _float(value)
        case decimal.Decimal():
            return _decimal(value)
        case datetime.datetime():
            return _timestamp(value)
        case datetime.date():
            return value.isoformat()
        case datetime.timedelta():
            return f"{value // datetime.timedelta(microseconds=1)}us"
        case uuid.UUID():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode("ascii")
        case Mapping():
            return {str(name): to_json(inner) for name, inner in value.items()}
        case list() | tuple():
            return [to_json(inner) for inner in value]
    # numpy's scalars and arrays, without knowing numpy.
    for method in ("item", "tolist"):
        if hasattr(value, method) and (method == "tolist" or getattr(value, "ndim", 0) == 0):
            return to_json(getattr(value, method)())
    raise TypeError(f"a {type(value).__name__} has no form on the bus: {value!r}")


def convert(row: Row, types: Types) -> Row:
    """The row with a converter applied to each named field that is there and not none.

    >>> convert({"region": "EU", "revenue": "42.00"}, {"revenue": decimal.Decimal})
    {'region': 'EU', 'revenue': Decimal('42.00')}
    """
    if not types:
        return row
    return {
        name: types[name](value) if name in types and value is not None else value
        for name, value in row.items()
    }


def _float(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _decimal(value: decimal.Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"a decimal on the bus is finite, not {value}")
    return format(value, "f")


def _timestamp(value: datetime.datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"a timestamp needs a zone: {value.isoformat()}")
    text = value.astimezone(datetime.timezone.utc).isoformat()
    return text.removesuffix("+00:00") + "Z"

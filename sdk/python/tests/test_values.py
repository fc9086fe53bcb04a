"""Values and ids: what Python types become on the bus, and rows converted on the way in."""

import datetime
import decimal
import enum
import json
import uuid

import numpy
import pytest

from arqonbus import frames
from arqonbus.values import convert, to_json


class Status(enum.Enum):
    PAID = "paid"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        (True, True),
        (2**62, 2**62),
        (1.5, 1.5),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (decimal.Decimal("30.00"), "30.00"),
        (decimal.Decimal("1E+3"), "1000"),
        (datetime.datetime(2026, 1, 1, 2, tzinfo=datetime.timezone.utc), "2026-01-01T02:00:00Z"),
        (
            datetime.datetime(
                2026, 1, 1, 2, 0, 0, 5, datetime.timezone(datetime.timedelta(hours=2))
            ),
            "2026-01-01T00:00:00.000005Z",
        ),
        (datetime.date(1995, 3, 15), "1995-03-15"),
        (datetime.timedelta(minutes=1, microseconds=5), "60000005us"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\x00\xff", "AP8="),
        (Status.PAID, "paid"),
        ((1, [2]), [1, [2]]),
        ({"a": {"b": decimal.Decimal("0.10")}}, {"a": {"b": "0.10"}}),
        (numpy.int64(7), 7),
        (numpy.float32(0.5), 0.5),
        (numpy.array([[1.0, 2.0]]), [[1.0, 2.0]]),
    ],
)
def test_values_are_written_as_the_bus_reads_them(value, wanted):
    assert to_json(value) == wanted
    assert type(to_json(value)) is type(wanted)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (datetime.datetime(2026, 1, 1), ValueError),
        (decimal.Decimal("NaN"), ValueError),
        (object(), TypeError),
    ],
)
def test_what_has_no_form_is_refused(value, error):
    with pytest.raises(error):
        to_json({"x": value})


def test_converters_touch_only_their_fields():
    row = {"region": "EU", "revenue": "42.00", "best": None}
    types = {"revenue": decimal.Decimal, "best": decimal.Decimal, "absent": int}
    assert convert(row, types) == {
        "region": "EU",
        "revenue": decimal.Decimal("42.00"),
        "best": None,
    }


def test_ids_are_sortable_uuids_of_version_7():
    ids = [uuid.UUID(frames.new_id()) for _ in range(100)]
    assert len(set(ids)) == 100
    assert {id.version for id in ids} == {7}
    assert {id.variant for id in ids} == {uuid.RFC_4122}
    millis = [id.int >> 80 for id in ids]
    assert millis == sorted(millis)


def test_frames_are_plain_json():
    row = {"x": float("nan"), "s": "ü"}
    envelope = frames.event("a", row, id="1", key={"x": 1}, ack="durable")
    assert json.loads(frames.dump(envelope)) == {
        "id": "1",
        "type": "event",
        "topic": "a",
        "payload": {"x": "NaN", "s": "ü"},
        "headers": {"key": {"x": 1}, "ack": "durable"},
    }


@pytest.mark.parametrize("text", ["", "[]", "{}", "1", "nonsense"])
def test_what_is_no_envelope_is_refused(text):
    with pytest.raises(frames.ProtocolError):
        frames.load(text)

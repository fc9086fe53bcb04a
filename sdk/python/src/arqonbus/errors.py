"""What can go wrong, as exceptions; all of them are an `ArqonError`."""

from __future__ import annotations


class ArqonError(Exception):
    """Anything this package raises on purpose."""


class BusError(ArqonError):
    """The bus refused something and said why.

    >>> error = BusError("DELTA_ONLY", "`shop.stock` carries deltas", "send changes")
    >>> print(error)
    DELTA_ONLY: `shop.stock` carries deltas (help: send changes)
    """

    def __init__(
        self,
        code: str,
        message: str,
        help: str | None = None,
        *,
        id: str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.help = help
        self.id = id
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        tail = f" (help: {self.help})" if self.help else ""
        return f"{self.code}: {self.message}{tail}"


class ConnectionLost(ArqonError):
    """The connection ended; `code` and `reason` are those of the websocket's close."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"the connection ended ({self.code}): {self.reason or 'no reason given'}"


class GapError(ArqonError):
    """The bus could not deliver what lies between `after` and `next`.

    The subscription goes on behind the gap: iterate again to take what follows.
    """

    def __init__(self, topic: str, after: int, next: int) -> None:
        super().__init__(topic, after, next)
        self.topic = topic
        self.after = after
        self.next = next

    def __str__(self) -> str:
        return f"`{self.topic}` has a gap after {self.after}; it goes on at {self.next}"


class ProtocolError(ArqonError):
    """The other side broke the protocol."""

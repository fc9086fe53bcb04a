"""A real websocket server that plays a script of frames, for tests without a bus.

A script is a list of lines as the protocol's page writes them: `("->", frame)` is what the client
must send next, `("<-", frame)` what the server answers, `("close", code)` closes. A client's frame
may hold more fields than the script's. A string that begins with `$` in an expected frame binds
what stands there; the same name in an answer is replaced by it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import websockets.asyncio.server

import arqonbus

SESSION = "system.control.session"
DEADLINE = 10.0

Line = tuple[str, Any]


def control(**payload: Any) -> dict[str, Any]:
    """A control frame of the session."""
    return {"type": "control", "topic": SESSION, "payload": payload}


HELLO: list[Line] = [
    ("->", control(hello={"token": "t0ken", "client": "notebook"})),
    (
        "<-",
        control(
            welcome={
                "session": "s1",
                "principal": "dana",
                "limits": {"frame_bytes_max": 1048576},
                "server_time": "2026-01-01T00:00:00Z",
                "features": ["json", "proto", "arrow"],
            }
        ),
    ),
]


def play(script: list[Line], client: Callable[[arqonbus.Bus], Awaitable[Any]]) -> Any:
    """Runs a client against a script that begins with the hello; both must come to their end."""

    async def run(url: str) -> Any:
        async with arqonbus.connect(url, token="t0ken", client="notebook") as bus:
            return await client(bus)

    return serve([*HELLO, *script], run)


def serve(script: list[Line], client: Callable[[str], Awaitable[Any]]) -> Any:
    """Runs a client, given the server's address, against a whole script."""

    async def main() -> Any:
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def handler(socket: websockets.asyncio.server.ServerConnection) -> None:
            try:
                await _play(socket, script)
                outcome.set_result(None)
            except BaseException as error:
                outcome.set_exception(error)
                await socket.close(1011)
            await socket.wait_closed()

        subprotocols = [websockets.typing.Subprotocol("arqon.v1.json")]
        async with asyncio.timeout(DEADLINE):
            async with websockets.asyncio.server.serve(
                handler, "127.0.0.1", 0, subprotocols=subprotocols
            ) as server:
                port = next(iter(server.sockets)).getsockname()[1]
                try:
                    result = await client(f"ws://127.0.0.1:{port}")
                except Exception:
                    # A script that went wrong explains better than the client it cut off.
                    if outcome.done():
                        outcome.result()
                    raise
                await outcome
                return result

    return asyncio.run(main())


async def _play(socket: websockets.asyncio.server.ServerConnection, script: list[Line]) -> None:
    bound: dict[str, Any] = {}
    for direction, frame in script:
        match direction:
            case "->":
                sent = json.loads(await socket.recv())
                _match(frame, sent, bound, "frame")
            case "<-":
                await socket.send(json.dumps(_fill(frame, bound)))
            case "close":
                await socket.close(frame)


def _match(wanted: Any, sent: Any, bound: dict[str, Any], where: str) -> None:
    if isinstance(wanted, str) and wanted.startswith("$"):
        assert bound.setdefault(wanted, sent) == sent, f"{where}: {sent!r} is not {wanted}"
    elif isinstance(wanted, dict):
        assert isinstance(sent, dict), f"{where}: {sent!r} is no object"
        for name, value in wanted.items():
            assert name in sent, f"{where} lacks {name}: {sent!r}"
            _match(value, sent[name], bound, f"{where}.{name}")
    elif isinstance(wanted, list):
        assert isinstance(sent, list) and len(sent) == len(wanted), f"{where}: {sent!r}"
        for at, value in enumerate(wanted):
            _match(value, sent[at], bound, f"{where}[{at}]")
    else:
        assert sent == wanted, f"{where}: {sent!r} is not {wanted!r}"


def _fill(frame: Any, bound: dict[str, Any]) -> Any:
    if isinstance(frame, str) and frame.startswith("$"):
        return bound[frame]
    if isinstance(frame, dict):
        return {name: _fill(value, bound) for name, value in frame.items()}
    if isinstance(frame, list):
        return [_fill(value, bound) for value in frame]
    return frame

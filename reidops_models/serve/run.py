"""The server on a port, until it is interrupted."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import uvicorn

from reidops_models.serve.app import Limits, create_app
from reidops_models.serve.guard import LOOPBACK_NAMES
from reidops_models.serve.people import People
from reidops_models.serve.queue import SearchQueue

CONNECTIONS = 100  # at a time
GRACE = 10  # seconds for what is on its way, when the server ends


class ServeError(ValueError):
    """A server that cannot begin. The message is one line."""


@dataclass(frozen=True)
class Address:
    """Where the server listens.

    Attributes:
        host: a name or an address of this machine.
        port: 0 takes any that is free.
        names: by which other machines ask for it. Without any only this machine may.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    names: tuple[str, ...] = ()

    def listen(self) -> socket.socket:
        """A socket that listens.

        Raises:
            ServeError: other machines could reach it and `names` is empty, or it cannot be had.
        """
        if self.port > 65535:
            raise ServeError(f"--port: expected 0 to 65535, got {self.port}")
        try:
            family, *_, place = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:
            raise ServeError(f"--host: no such host: {self.host!r}") from error
        if not self.names and not ipaddress.ip_address(place[0]).is_loopback:
            raise ServeError(
                f"--host: other machines can reach {self.host}, and there is no password; expected 127.0.0.1, or "
                "--server-name NAME with the name by which they ask for it"
            )
        try:
            return socket.create_server((str(place[0]), self.port), family=family)
        except OSError as error:
            raise ServeError(f"--port: {self.host}:{self.port}: {error.strerror or error}") from error

    def url(self, listening: socket.socket) -> str:
        """What to type into a browser."""
        host = self.names[0] if self.names else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"


def run(
    people: People,
    address: Address | None = None,
    limits: Limits | None = None,
    *,
    begun: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until interrupted.

    Args:
        people: the gallery, opened.
        address: where to listen.
        limits: what may be sent.
        begun: is called with the page's address once the port is open.

    Raises:
        ServeError: the port cannot be had.
        KeyboardInterrupt: by Ctrl-C. Searches stop at the gallery's next block.
    """
    place = address or Address()
    with place.listen() as listening:
        app = create_app(people, limits, names=(*LOOPBACK_NAMES, place.host, *place.names))
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,  # nothing is kept of a search
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=GRACE,
        )
        begun(place.url(listening))
        _Server(config, app.state.queue).run(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, queue: SearchQueue) -> None:
        super().__init__(config)
        self._queue = queue

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        self._queue.close()
        await super().shutdown([*(sockets or ())])

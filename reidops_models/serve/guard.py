"""What keeps other sites away from a server on this machine: any page in a browser here can send requests to it.

A site may give its own name this machine's address (DNS rebinding): then `Host` is its name. Or its page sends requests
as they are: then `Origin` is another than `Host`, and `Sec-Fetch-Site` says so.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reidops_models.serve.answers import ErrorAnswer

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",  # sizes in the drawing; what a style sheet could load is still refused
        "img-src 'self' data: blob:",  # blob: shows the probe before it is sent
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware: refuses the requests of other sites, and tells browsers what the page may do.

    Args:
        app: what is guarded.
        names: the host names and addresses by which the server may be asked.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = LOOPBACK_NAMES) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        complaint = self._complaint(scope["method"], scope["path"], Headers(scope=scope))
        if complaint is None:
            await self._app(scope, receive, send_with_headers)
        else:
            refused = JSONResponse(ErrorAnswer(error=complaint).model_dump(), status_code=403)
            await refused(scope, receive, send_with_headers)

    def _complaint(self, method: str, path: str, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if _name(f"//{host}") not in self._names:
            return f"host: {host[:100]!r} is no name of this server (reidops serve --server-name)"
        origin = headers.get("origin")
        if origin is not None and not _same(origin, host):
            return f"origin: expected this server's own pages, got {origin[:100]!r}"
        site = headers.get("sec-fetch-site", "none")
        follows_link = method == "GET" and path == "/" and headers.get("sec-fetch-dest") == "document"
        if site not in ("none", "same-origin") and not follows_link:
            return f"sec-fetch-site: expected this server's own pages, got {site[:100]!r}"
        return None


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _same(origin: str, host: str) -> bool:
    scheme, _, place = origin.partition("://")
    return scheme in ("http", "https") and place.lower() == host.lower()

"""Who may ask? (docs/http-api.md, "Access")

1. `Host` must be a name of this server: a page of another site that points its own name at 127.0.0.1 gets nothing.
2. `Origin`, where a browser sends it, must be the same host.
3. Where there is a token, every request must carry it, as a bearer header or in a cookie; it is compared in constant
   time. Opening `/?token=...` sets the cookie and leads to the same address without the token, which so stays out of
   links.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from deeptracker.server.answers import error_response

COOKIE = "deeptracker_token"
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True, slots=True)
class Access:
    """The rules: names the server answers to (without port), whether any IP address will do, the token if any."""

    hosts: frozenset[str] = LOOPBACK_NAMES
    any_address: bool = False
    token: str | None = None

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < 8:
            raise ValueError(f"a token must have at least 8 characters. Got {len(self.token)}.")
        if self.token is None and not self.hosts <= LOOPBACK_NAMES:
            raise ValueError(f"an address other than 127.0.0.1 needs a token. Got {', '.join(sorted(self.hosts))}.")


def access_for(host: str, token: str | None, allowed: tuple[str, ...] = ()) -> Access:
    """The rules for a server bound to `host`; `allowed` are further names it is reached by (behind a proxy)."""
    everywhere = host in ("0.0.0.0", "::")
    names = {*LOOPBACK_NAMES, *allowed, socket.gethostname(), socket.getfqdn()} if everywhere else {host, *allowed}
    if is_loopback(host):
        names |= LOOPBACK_NAMES
    return Access(frozenset(name.lower() for name in names), everywhere, token)


def is_loopback(host: str) -> bool:
    """Is this address reached from this machine only?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class AccessMiddleware:
    """Holds every request against the rules before anything else sees it."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            remedy = "Open it under its own address, or start it with --allow-host NAME."
            return error_response(403, f"this server does not answer to the host {host!r}.", remedy)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return error_response(403, f"requests from pages of {origin} are refused.", "Open the page of this server.")
        if self._access.token is None:
            return None
        return self._token_refusal(scope, headers)

    def _token_refusal(self, scope: Scope, headers: Headers) -> Response | None:
        token = self._access.token or ""
        query = QueryParams(scope["query_string"])
        if "token" in query and scope["path"] == "/" and _same(query["token"], token):
            rest = urlencode([pair for pair in parse_qsl(scope["query_string"].decode()) if pair[0] != "token"])
            response = RedirectResponse("/" + (f"?{rest}" if rest else ""), status_code=303)
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
            return response
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        if _same(bearer, token) | _same(cookie, token):
            return None
        if scope["path"] == "/":
            return HTMLResponse(_TOKEN_PAGE, status_code=401)
        remedy = "Open the link that the server printed, or send `Authorization: Bearer TOKEN`."
        return error_response(401, "this server needs its token.", remedy)

    def _is_ours(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name.lower() in self._access.hosts:
            return True
        return self._access.any_address and _is_address(name)


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


_TOKEN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>DeepTracker</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>:root{color-scheme:light dark}
body{font:15px/1.5 Inter,system-ui,sans-serif;max-width:28rem;margin:18vh auto;padding:0 1rem}
input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;margin:.5rem 0}
button{font:inherit;padding:.5rem 1rem}</style>
<h1>DeepTracker</h1><p>This server needs its token. It was printed, within a link, where the server was started.</p>
<form method="get" action="/"><label for="t">Token</label><input id="t" name="token" type="password" autofocus required>
<button>Open</button></form></html>"""

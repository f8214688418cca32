"""
Requests that come through proxies, below a path, or from other origins.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.web.http import NO_CONTENT, PERMANENT_REDIRECT, datetimeToString
from twisted.web.server import Request

from twisted_quotes.web.http.clients import client_key_for_address
from twisted_quotes.web.http.urls import path_below

from .cors import CORSPolicy
from .forwarded import Forwarded, read_forwarded
from .trusted_proxies import TrustedProxies

# A path that is not canonical, so that no route has it.
_NO_PATH = b"//"


class Ingress(NamedTuple):
    """
    How requests reach the service.

    @ivar trusted_proxies: the proxies whose headers about their clients are believed.
    @ivar base_path: where the service stands below a proxy; C{""} for the root.
    @ivar cors_policy: which scripts of other origins may read responses.
    """

    trusted_proxies: TrustedProxies = TrustedProxies()
    base_path: str = ""
    cors_policy: CORSPolicy = CORSPolicy()


class IngressRequest(Request):
    """
    A request that knows how it has reached the service.

    @ivar ingress: how requests may do so.
    """

    channel: Any

    def __init__(self, channel: Any, queued: bool = False) -> None:
        super().__init__(channel, queued)
        self.ingress: Ingress = channel.site.ingress
        # L{None} until it is read.
        self._forwarded = None if channel.is_proxied else Forwarded()

    @property
    def forwarded(self) -> Forwarded:
        """What trusted proxies say. Do not use it before all headers are received."""
        if self._forwarded is None:
            self._forwarded = read_forwarded(self, self.ingress.trusted_proxies)
        return self._forwarded

    @property
    def base_path(self) -> str:
        """The path of the service as the client sees it; see L{urls.base_path}."""
        prefix = self.forwarded.prefix
        return self.ingress.base_path if prefix is None else prefix

    @property
    def client_key(self) -> str | None:
        """The key of the client; L{None} if clients cannot be told apart."""
        return client_key_for_address(self.getClientAddress())

    def getClientAddress(self) -> IAddress:
        """Return the address of the client, which may be behind proxies."""
        host = self.forwarded.address
        if host is None:
            peer: IAddress = super().getClientAddress()
            return peer
        return (IPv6Address if ":" in host else IPv4Address)("TCP", host, 0)

    def isSecure(self) -> bool:
        """Return whether the client uses HTTPS, perhaps only to a proxy."""
        secure = self.forwarded.secure
        return bool(super().isSecure()) if secure is None else secure

    def route(self) -> None:
        """
        Route the request by its path below the base path.

        A proxy that says what it has removed from the path has removed it.
        """
        is_stripped = self.forwarded.prefix is not None
        path = path_below("" if is_stripped else self.ingress.base_path, self.path)
        if path != b"":
            self.path = _NO_PATH if path is None else path
        if self.ingress.cors_policy.is_preflight(self):
            self._respond(NO_CONTENT)
        elif path == b"":
            query = b"".join(self.uri.partition(b"?")[1:])
            self.setHeader(b"location", self.path + b"/" + query)
            self.setHeader(b"content-length", b"0")
            self._respond(PERMANENT_REDIRECT)
        else:
            super().process()

    def _respond(self, code: int) -> None:
        """Respond without a body."""
        self.setResponseCode(code)
        self.setHeader(b"date", datetimeToString())
        self.finish()

    def write(self, data: bytes) -> None:
        """Send a part of the response, after the headers for other origins."""
        if not self.startedWriting:
            self.ingress.cors_policy.set_headers(self)
        super().write(data)

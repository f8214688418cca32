"""
Tests for L{twisted_quotes.listening.proxy_protocol}.
"""

from __future__ import annotations

from struct import pack
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_quotes.listening.proxy_protocol import (
    proxy_protocol_endpoint,
    split_header,
)

TCP4 = b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n"
TCP6 = b"PROXY TCP6 2001:db8::1 2001:db8::2 4000 80\r\n"
V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
IPV4_ADDRESSES = bytes((192, 0, 2, 1, 192, 0, 2, 2)) + pack("!HH", 4000, 80)


def make_v2_header(command: int, family: int, body: bytes = b"") -> bytes:
    """Return a header of version 2."""
    return V2_SIGNATURE + bytes((command, family)) + pack("!H", len(body)) + body


class SplitHeaderTests(SynchronousTestCase):
    """Tests of headers without a connection."""

    def test_a_header_is_split_from_what_follows(self) -> None:
        for header in (
            TCP4,
            TCP6,
            make_v2_header(0x21, 0x11, IPV4_ADDRESSES),
            make_v2_header(0x21, 0x11, IPV4_ADDRESSES + b"more"),
            make_v2_header(0x21, 0x21, bytes(36)),
            make_v2_header(0x21, 0x31, bytes(216)),
            make_v2_header(0x21, 0),
            make_v2_header(0x20, 0x11),
        ):
            self.assertEqual(split_header(header + b"GET"), (header, b"GET"))
            for size in range(len(header)):
                self.assertIsNone(split_header(header[:size]))

    def test_addresses_after_unknown_are_ignored(self) -> None:
        """Twisted requires a blank in their place."""
        for header in (b"PROXY UNKNOWN", b"PROXY UNKNOWN ff::1 ff::2 1 2"):
            self.assertEqual(
                split_header(header + b"\r\nGET"), (b"PROXY UNKNOWN \r\n", b"GET")
            )

    def test_an_invalid_header_is_an_error(self) -> None:
        for data in (
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP5 192.0.2.1 192.0.2.2 4000 80\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 x\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 65536\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.\xff 4000 80\r\n",
            b"PROXY TCP4 2001:db8::1 2001:db8::2 4000 80\r\n",
            b"PROXY TCP4 192.0.2.1\r\n",
            b"PROXY \r\n",
            b"PROXY " + b"x" * 200,
            b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
            make_v2_header(0x11, 0x11, IPV4_ADDRESSES),
            make_v2_header(0x22, 0x11, IPV4_ADDRESSES),
            make_v2_header(0x21, 0x11, IPV4_ADDRESSES[:4]),
            make_v2_header(0x21, 0x41, IPV4_ADDRESSES),
            make_v2_header(0x21, 0x13, IPV4_ADDRESSES),
        ):
            self.assertRaises(ValueError, split_header, data)


@implementer(IStreamServerEndpoint)
class RecordingEndpoint:
    """An endpoint that records the factory."""

    factory: IProtocolFactory

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Record the factory."""
        self.factory = protocolFactory
        port: Any = None
        return succeed(port)


class BehindProxyTests(SynchronousTestCase):
    """Tests of connections from a proxy."""

    def setUp(self) -> None:
        self.received: list[bytes] = []
        protocol: Any = Protocol()
        protocol.dataReceived = self.received.append
        self.protocol = protocol
        factory: Any = Factory()
        factory.buildProtocol = lambda address: protocol
        endpoint = RecordingEndpoint()
        proxy_protocol_endpoint(endpoint).listen(factory)
        server: Any = endpoint.factory.buildProtocol(None)  # type: ignore[arg-type]
        self.server = server
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = server
        server.makeConnection(self.transport)

    def protocol_peer(self) -> Any:
        """Return the address of the client, as the protocol sees it."""
        assert self.protocol.transport is not None
        return self.protocol.transport.getPeer()

    def test_the_client_is_named_by_the_header(self) -> None:
        """The header may arrive byte by byte."""
        for byte in TCP4 + b"GET":
            self.server.dataReceived(bytes((byte,)))
        self.assertEqual(self.received, [b"G", b"E", b"T"])
        self.assertEqual(
            (self.protocol_peer().host, self.protocol_peer().port), ("192.0.2.1", 4000)
        )

    def test_a_header_without_addresses_stands_for_the_proxy(self) -> None:
        self.server.dataReceived(b"PROXY UNKNOWN\r\nGET")
        self.assertEqual(self.received, [b"GET"])
        self.assertEqual(self.protocol_peer(), self.transport.getPeer())

    def test_a_connection_without_a_header_is_closed(self) -> None:
        """This is logged once, and further data is dropped."""
        with capturedLogs() as events:
            self.server.dataReceived(b"GET / HTTP/1.1\r\n")
            self.server.dataReceived(TCP4)
        self.assertFalse(self.transport.connected)
        self.assertEqual(self.received, [])
        [event] = events
        self.assertIn("it has no PROXY header", formatEvent(event))

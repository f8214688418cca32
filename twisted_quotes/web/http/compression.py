"""
Compression of responses, as their clients accept it (RFC 9110, section 8.4).

C{GzipEncoderFactory} of Twisted does not fit: it compresses bodies of any type and size
in the reactor, at the highest level, ignores qualities, and keeps strong entity tags.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from re import compile
from typing import Any, NamedTuple

from twisted.web.http import NO_BODY_CODES
from zstandard import (
    COMPRESSOBJ_FLUSH_BLOCK,
    ZstdCompressionParameters,
    ZstdCompressor,
)

from twisted_quotes.concurrency.capacity import Capacity
from twisted_quotes.concurrency.threads import DeferToThread

from .accept import negotiate_coding
from .caching import add_vary, weaken_entity_tag
from .output_limiter import OutputQuota
from .request_log import header

MIN_SIZE = 1024
"""The minimum size of a compressed body. A smaller one fits in a packet anyway."""

MAX_BLOCKING_SIZE = 64 * 1024
"""The maximum number of bytes to compress at a time in the reactor."""

PIECE_SIZE = 256 * 1024
"""The number of bytes to compress at a time in a thread."""

MAX_STREAMS = 64
"""The maximum number of compressed streams. Each takes up to a megabyte of memory."""

_TEXT = compile(
    r"text/|application/(?:json|x-ndjson|javascript|openmetrics-text)\b|"
    r"[a-z]+/[\w.-]+\+(?:json|xml)\b"
)

# Higher levels take twice the time to save a few percent.
_GZIP_LEVEL, _ZSTD_LEVEL = 4, 3
# The size bounds the memory that a stream takes.
_ZSTD_PARAMETERS = ZstdCompressionParameters.from_level(
    _ZSTD_LEVEL, source_size=MAX_BLOCKING_SIZE
)


class _Coding(NamedTuple):
    """
    A content coding.

    @ivar start: makes an object that compresses a body.
    @ivar flush: makes this object return all that it holds back.
    """

    start: Callable[[], Any]
    flush: int


# In the order of preference.
_CODINGS = {
    "zstd": _Coding(
        lambda: ZstdCompressor(compression_params=_ZSTD_PARAMETERS).compressobj(),
        COMPRESSOBJ_FLUSH_BLOCK,
    ),
    # With 16 more bits, zlib writes the header of gzip.
    "gzip": _Coding(
        lambda: zlib.compressobj(_GZIP_LEVEL, wbits=16 + zlib.MAX_WBITS),
        zlib.Z_SYNC_FLUSH,
    ),
}


class Encoder:
    """
    Applies a content coding to the response to one request.

    @ivar is_streaming: whether a response is being streamed with the coding.
    """

    is_streaming = False
    _compressor: Any = None

    def __init__(
        self, request: Any, coding: str, in_thread: DeferToThread, streams: Capacity
    ) -> None:
        self._request = request
        self._coding = coding
        self._in_thread = in_thread
        self._streams = streams

    def start_stream(self) -> bool:
        """Return whether a streamed response is encoded."""
        self.is_streaming = is_text(self._request) and self._streams.try_acquire()
        return self.is_streaming

    def start(self) -> None:
        """Set the headers of an encoded response."""
        set_negotiated_headers(self._request)
        self._request.setHeader(b"content-encoding", self._coding.encode())
        self._compressor = _CODINGS[self._coding].start()

    async def encode(self, data: bytes, is_last: bool = False) -> bytes:
        """Encode a part of the body so that the client can decode all of it."""
        if self._compressor is None:
            self.start()
        encoded = []
        if len(data) > MAX_BLOCKING_SIZE:
            # Between the pieces, others can use the thread.
            for start in range(0, len(data), PIECE_SIZE):
                piece = data[start : start + PIECE_SIZE]
                encoded.append(await self._in_thread(self._compressor.compress, piece))
        else:
            encoded.append(self._compressor.compress(data))
        flush = () if is_last else (_CODINGS[self._coding].flush,)
        encoded.append(self._compressor.flush(*flush))
        return b"".join(encoded)

    def close(self) -> None:
        """Stop counting a stream."""
        if self.is_streaming:
            self.is_streaming = False
            self._streams.release()


@dataclass
class Compression:
    """Compresses the responses of routes."""

    in_thread: DeferToThread
    _streams: Capacity = field(
        default_factory=lambda: Capacity(MAX_STREAMS), init=False
    )

    async def respond(self, request: Any, route: Callable[[], Any]) -> bytes:
        """
        Call a route, and encode its response if the client accepts that.

        A route that streams its response finds the L{Encoder} in C{request.encoder}.
        """
        coding, is_required = negotiate_coding(
            header(request, b"accept-encoding"), tuple(_CODINGS)
        )
        if coding is None:
            return await _call(route)
        encoder = Encoder(request, coding, self.in_thread, self._streams)
        request.encoder = encoder
        try:
            body = await _call(route)
            if encoder.is_streaming:
                return await encoder.encode(body, is_last=True)
            if not request.startedWriting:
                set_negotiated_headers(request)
                body = await _encode_body(request, encoder, body, is_required)
            return body
        finally:
            request.encoder = None
            encoder.close()


async def _call(route: Callable[[], Any]) -> bytes:
    response = route()
    body: bytes = response if isinstance(response, bytes) else await response
    return body


async def _encode_body(
    request: Any, encoder: Encoder, body: bytes, is_required: bool
) -> bytes:
    """Encode a whole body if that is worthwhile or required."""
    # The response to HEAD does not have the length of a stream.
    is_whole = request.responseHeaders.hasHeader(b"content-length")
    is_worthwhile = is_text(request) and (len(body) >= MIN_SIZE or not is_whole)
    if request.code in NO_BODY_CODES or not (is_worthwhile or is_required):
        return body
    if not is_whole and request.method == b"HEAD":
        encoder.start()
        return body
    quota: OutputQuota | None = getattr(request, "output_quota", None)
    with nullcontext() if quota is None else quota.reserve(len(body)):
        encoded = await encoder.encode(body, is_last=True)
    if is_whole:
        request.setHeader(b"content-length", b"%d" % len(encoded))
    return encoded


def set_negotiated_headers(request: Any) -> None:
    """
    Set the headers of a response that depends on Accept-Encoding, encoded or not.

    Its entity tag is weak, since it is the same for all codings (RFC 9110, section
    8.8.1).
    """
    add_vary(request, b"accept-encoding")
    weaken_entity_tag(request)


def is_text(request: Any) -> bool:
    """Return whether a response has a type that compression makes smaller."""
    [content_type] = request.responseHeaders.getRawHeaders(b"content-type", [b""])
    return _TEXT.match(content_type.decode("latin-1")) is not None

"""
Content negotiation: the media type that a client prefers (RFC 9110, section 12.5.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from re import DOTALL, compile

# A quoted string, which may be unterminated. The pattern does not backtrack, so that
# the time to match is linear in the length of the header.
_QUOTED_STRING = compile(r'"(?:[^"\\]|\\.?)*+"?', DOTALL)

# Some clients send more than the three digits of section 12.4.2.
_QUALITY = compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?")


def negotiate_media_type(accept: str, offered: Sequence[str]) -> str:
    """
    Choose a media type. Parameters other than the quality are ignored.

    @param accept: the Accept header, with all its lines joined by commas.
    @param offered: the available media types, in lower case, in the order of the
        server's preference.
    @return: the type with the highest quality. Among equals the most specific match
        wins, then the first type. If no type is acceptable, the first type.
    """
    qualities: dict[str, float] = {}
    for text in _QUOTED_STRING.sub("", accept).split(","):
        name, quality = _parse_media_range(text)
        qualities[name] = max(quality, qualities.get(name, -1))
    return max(offered, key=lambda media_type: _rank(media_type, qualities))


def _parse_media_range(text: str) -> tuple[str, float]:
    """Parse one media range. The quality is -1 if it is malformed."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "q":
            return name, float(value) if _QUALITY.fullmatch(value) else -1
    return name, 1


def _rank(media_type: str, qualities: Mapping[str, float]) -> tuple[float, int]:
    """Return the quality of a media type, and the specificity of the match, 0 to 2."""
    main_type, _, _ = media_type.partition("/")
    for specificity, name in ((2, media_type), (1, f"{main_type}/*"), (0, "*/*")):
        quality = qualities.get(name, -1)
        if quality >= 0:
            return quality, specificity if quality else 0
    return 0, 0

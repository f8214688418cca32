"""
Content negotiation: what a client prefers (RFC 9110, sections 12.5.1 and 12.5.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from re import DOTALL, compile

# A quoted string, which may be unterminated. The pattern does not backtrack, so that
# the time to match is linear in the length of the header.
_QUOTED_STRING = compile(r'"(?:[^"\\]|\\.?)*+"?', DOTALL)

# Some clients send more than the three digits of section 12.4.2.
_QUALITY = compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?")

IDENTITY = "identity"
"""The name for a body without a content coding."""


def negotiate_media_type(accept: str, offered: Sequence[str]) -> str:
    """
    Choose a media type. Parameters other than the quality are ignored.

    @param accept: the Accept header, with all its lines joined by commas.
    @param offered: the available media types, in lower case, in the order of the
        server's preference.
    @return: the type with the highest quality. Among equals the most specific match
        wins, then the first type. If no type is acceptable, the first type.
    """
    qualities = _parse_qualities(accept)
    return max(offered, key=lambda media_type: _rank(media_type, qualities))


def is_named(media_type: str, accept: str, other: str) -> bool:
    """Return whether a client names a media type, and does not prefer another one."""
    qualities = _parse_qualities(accept)
    quality = qualities.get(media_type, 0)
    return quality > 0 and quality >= _rank(other, qualities)[0]


def negotiate_coding(
    accept_encoding: str, offered: Sequence[str]
) -> tuple[str | None, bool]:
    """
    Choose a content coding.

    @param accept_encoding: the Accept-Encoding header.
    @param offered: the available codings, in lower case, in the order of the server's
        preference.
    @return: the coding with the highest quality, or L{None} if no coding is acceptable
        or the client prefers none; and whether the client refuses a body without one.
    """
    qualities = _parse_qualities(accept_encoding)
    for_others = qualities.get("*", 0)
    coding = max(offered, key=lambda name: qualities.get(name, for_others))
    quality = qualities.get(coding, for_others)
    if quality <= 0 or quality < qualities.get(IDENTITY, 0):
        return None, False
    return coding, qualities.get(IDENTITY, qualities.get("*", 1)) == 0


def _parse_qualities(header: str) -> dict[str, float]:
    """Parse a list of names with parameters. Of equal names, the best one counts."""
    qualities: dict[str, float] = {}
    for text in _QUOTED_STRING.sub("", header).split(","):
        name, quality = _parse_item(text)
        qualities[name] = max(quality, qualities.get(name, -1))
    return qualities


def _parse_item(text: str) -> tuple[str, float]:
    """Parse one name, such as a media range. The quality is -1 if it is malformed."""
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

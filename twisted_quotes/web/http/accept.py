"""
Which of several media types a client prefers (RFC 9110, section 12.5.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from re import DOTALL, compile

# A quoted string, which may lack its end. It never has to be tried again, so a
# search takes a time that is linear in the length of the header.
_QUOTED_STRING = compile(r'"(?:[^"\\]|\\.?)*+"?', DOTALL)

# Some clients send more digits than the three of section 12.4.2.
_QUALITY = compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?")


def negotiate_media_type(accept: str, offered: Sequence[str]) -> str:
    """
    Choose a media type.

    Parameters of a media type other than its quality make no difference.

    @param accept: the Accept header, of any length; all its lines, joined by commas.
    @param offered: the media types that there are, in lower case, the server's
        own preference first.
    @return: the type with the highest quality; of several, the one that is named
        most exactly; of several such, the first. If none is acceptable, the first.
    """
    qualities: dict[str, float] = {}
    for text in _QUOTED_STRING.sub("", accept).split(","):
        name, quality = _parse_media_range(text)
        qualities[name] = max(quality, qualities.get(name, -1))
    return max(offered, key=lambda kind: _rank(kind, qualities))


def _parse_media_range(text: str) -> tuple[str, float]:
    """Parse one media range. The quality is -1 if it is malformed."""
    name, *parameters = (each.strip().lower() for each in text.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "q":
            return name, float(value) if _QUALITY.fullmatch(value) else -1
    return name, 1


def _rank(media_type: str, qualities: Mapping[str, float]) -> tuple[float, int]:
    """The quality of a media type, and how exactly it is named, from 0 to 2."""
    for specificity, name in (
        (2, media_type),
        (1, f"{media_type.partition('/')[0]}/*"),
        (0, "*/*"),
    ):
        quality = qualities.get(name, -1)
        if quality >= 0:
            return quality, specificity if quality else 0
    return 0, 0

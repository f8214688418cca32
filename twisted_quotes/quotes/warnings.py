"""
Warnings about dictionaries that may not be read as their owners expect.
"""

from __future__ import annotations

from re import IGNORECASE, compile

_OTHER_FORMATS = {
    "JSON": compile(r"\s*[\[{]\s*[\[{\"]"),
    "HTML": compile(r"\s*<(?:!doctype|html)\b", IGNORECASE),
    "XML": compile(r"\s*<\?xml\b", IGNORECASE),
}


class WarningCollector:
    """Collects what is worth a warning while the quotes of a dictionary are read."""

    def __init__(self) -> None:
        self._looks_like: str | None = None
        self._is_first = True

    def add(self, text: str) -> None:
        """Look at the text of the next quote."""
        if self._is_first:
            self._is_first = False
            matches = (key for key, x in _OTHER_FORMATS.items() if x.match(text))
            self._looks_like = next(matches, None)

    def warnings(self, invalid_places: int) -> list[str]:
        """
        Return the warnings, each without a full stop.

        @param invalid_places: how many replacement characters the text has for bytes
            that are not UTF-8.
        """
        warnings = []
        if self._looks_like is not None:
            warnings.append(f"looks like {self._looks_like}, but is read as plain text")
        if invalid_places == 1:
            warnings.append("1 place is not UTF-8")
        elif invalid_places:
            warnings.append(f"{invalid_places} places are not UTF-8")
        return warnings

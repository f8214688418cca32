"""
The JSON log: a flat object in each line.

It replaces Twisted's own, where each event follows a byte 0x1e (RFC 7464) and has no
formatted message. Log shippers do not read that.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import IO, Any

from twisted.logger import FileLogObserver, LogEvent, formatEvent
from twisted.python.failure import Failure

_RESERVED_FIELDS = ("time", "level", "logger", "message", "traceback")


def format_json_line(event: LogEvent) -> str:
    """
    Format an event as a flat JSON object in ASCII, and a line feed.

    Its fields are C{time} (RFC 3339, in UTC), C{level}, C{logger}, C{message},
    C{traceback} if there is one, and the fields of the event that are text, bytes,
    numbers or booleans.
    """
    time = datetime.fromtimestamp(event["log_time"], UTC).isoformat("T", "milliseconds")
    line: dict[str, Any] = {
        "time": time.replace("+00:00", "Z"),
        "level": getattr(event.get("log_level"), "name", None),
        "logger": event.get("log_namespace"),
        "message": _escape_surrogates(formatEvent(event)),
    }
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        line["traceback"] = _escape_surrogates(failure.getTraceback())
    # Events of the legacy twisted.python.log have internal fields.
    if "log_text" not in event:
        for name, value in event.items():
            if not name.startswith("log_") and name not in _RESERVED_FIELDS:
                line |= _flat_field(name, value)
    return f"{json.dumps(line)}\n"


def json_observer(file: IO[str]) -> FileLogObserver:
    """Write events to a file, as L{format_json_line} formats them."""
    return FileLogObserver(file, format_json_line)


def _flat_field(name: str, value: object) -> dict[str, Any]:
    """Return a field, or nothing if it is not a JSON string, number or boolean."""
    match value:
        case bytes():
            return {name: value.decode("ascii", "backslashreplace")}
        case str():
            return {name: _escape_surrogates(value)}
        # Not for infinity and NaN.
        case int() | float() if value - value == 0:
            return {name: value}
    return {}


def _escape_surrogates(text: str) -> str:
    """Escape lone surrogates, which stand for bytes in file names."""
    return text.encode("utf-8", "backslashreplace").decode()

"""
The log for programs: a flat JSON object a line.

C{twist} writes the events as Twisted stores them: each after a byte 0x1e (RFC
7464), with every field twice and no formatted message. Log shippers read neither.
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
    Format an event as a flat JSON object, and a line feed.

    It has C{time} (RFC 3339, in UTC), C{level}, C{logger}, C{message}, C{traceback}
    if there is one, and the fields of the event that are text, numbers or truth
    values. It is ASCII, and valid JSON whatever the fields hold.
    """
    line: dict[str, Any] = {
        "time": _format_rfc3339(event["log_time"]),
        "level": getattr(event.get("log_level"), "name", None),
        "logger": event.get("log_namespace"),
        "message": _escape_surrogates(formatEvent(event)),
    }
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        line["traceback"] = _escape_surrogates(failure.getTraceback())
    # Events of the old twisted.python.log have fields of its own in them.
    if "log_text" not in event:
        for name, value in event.items():
            if not name.startswith("log_") and name not in _RESERVED_FIELDS:
                line |= _flat_field(name, value)
    return f"{json.dumps(line)}\n"


def json_observer(file: IO[str]) -> FileLogObserver:
    """Write events to a file, each as L{format_json_line} formats it."""
    return FileLogObserver(file, format_json_line)


def _format_rfc3339(timestamp: float) -> str:
    moment = datetime.fromtimestamp(timestamp, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _flat_field(name: str, value: object) -> dict[str, Any]:
    """A field, if its value is one that a flat object can have."""
    match value:
        case bool() | int():
            return {name: value}
        case float() if value - value == 0:
            return {name: value}
        case str():
            return {name: _escape_surrogates(value)}
        case bytes():
            return {name: value.decode("ascii", "backslashreplace")}
    return {}


def _escape_surrogates(text: str) -> str:
    """Text without lone surrogates, which stand for bytes in names of files."""
    return text.encode("utf-8", "backslashreplace").decode()

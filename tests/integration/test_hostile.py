"""
Tests of random and invalid bodies.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

from .cases import LibraryTestCase

# make hostile sets a larger number.
BODY_COUNT = int(os.environ.get("HOSTILE_BODIES", "3000"))
ALLOWED_STATUSES = {200, 400, 403, 404, 413, 501}
FIELDS = (
    *("action", "term", "dictionary", "nresults", "n_before", "n_after"),
    *("ignore_case", "whole_word", "regex", "offset"),
    *("unit", "seed", "Action", "term\0", "__class__"),
)
STRINGS = (
    *("search", "all", "random", "list", "", " ", "a", "once", "-v", "-f/etc/passwd"),
    *("../secret", "/etc/passwd", "story", ".", "..", "*", "a/b", "~", "$(id)", "`id`"),
    *("\0", "a\nb", "a\rb", "\ufeff", "\ufffd", "\ud800", "日本"),
    *("é" * 1024, "x" * 1025),
    *("(", "[", "a**", "\\", "a{1,3}", "(a|b)*", "^$", "{", "%s%n", "<script>", "'\""),
)


def random_value(source: random.Random, depth: int = 0) -> Any:
    """Return a random JSON value, usually an invalid one."""
    kind = source.randrange(9 if depth < 3 else 6)
    match kind:
        case 0 | 1 | 2:
            return source.choice(STRINGS)
        case 3:
            return source.choice((0, 1, -1, 1000, 1001, 2**31, 2**63, -(10**30)))
        case 4:
            return source.choice((True, False, None, 1.0, 0.5, -0.0, 1e300))
        case 5:
            return "".join(chr(source.randrange(0x20, 0x2FF)) for _ in range(9))
        case 6:
            return [random_value(source, depth + 1) for _ in range(source.randrange(4))]
        case _:
            return {
                source.choice(FIELDS): random_value(source, depth + 1)
                for _ in range(source.randrange(4))
            }


def random_body(source: random.Random) -> bytes:
    """Return a random body: noise, JSON, or almost a query."""
    kind = source.randrange(10)
    if kind == 0:
        return source.randbytes(source.randrange(200))
    if kind == 1:
        return json.dumps(random_value(source)).encode()
    if kind == 2 and source.random() < 0.05:
        return source.choice((b"[", b'{"a":', b" ", b"9")) * source.randrange(70_000)
    query: dict[str, Any] = {"action": source.choice(("search", "search", "all"))}
    if source.random() < 0.1:
        query["action"] = random_value(source)
    if query["action"] == "search" or source.random() < 0.1:
        query["term"] = source.choice(STRINGS)
    if source.random() < 0.3:
        query["dictionary"] = source.choice(STRINGS)
    if source.random() < 0.3:
        query[source.choice(FIELDS)] = random_value(source)
    text = json.dumps(query, ensure_ascii=source.random() < 0.5)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if kind == 3 and data:
        data[source.randrange(len(data))] = source.randrange(256)
    return bytes(data)


class HostileTests(LibraryTestCase):
    """Tests of many bodies, most of them invalid."""

    dictionaries = {"story": "once upon a time\na é 日本\n"}

    def test_every_response_has_an_expected_status_and_shape(self) -> None:
        source = random.Random(BODY_COUNT)
        (self.folder / "secret").write_text("a secret\n")
        server = self.serve()
        connection = server.connect()
        codes: dict[int, int] = {}
        for _ in range(BODY_COUNT):
            data = random_body(source)
            response = connection.send_query(data).read_response()
            codes[response.status] = codes.get(response.status, 0) + 1
            self.assertIn(response.status, ALLOWED_STATUSES, data)
            body = response.json()
            if response.status == 200:
                self.assertEqual(list(body), ["nr of entries", "results"])
                count = len(body["results"])
                self.assertEqual(body["nr of entries"], count)
            else:
                self.assertEqual(list(body), ["Code", "message"])
                self.assertEqual(body["Code"], response.status)
            self.assertNotIn(b"a secret", response.body)
            self.assertNotIn(b"root:", response.body)
            if response.headers.get("connection") == "close":
                connection.close()
                connection = server.connect()
        self.assertEqual(server.search_pids(), [])
        self.assertNotIn("Traceback", "\n".join(server.lines))
        if "HOSTILE_BODIES" in os.environ:
            print(f"\n{BODY_COUNT} bodies, statuses {dict(sorted(codes.items()))}")
        self.assertEqual(set(codes), ALLOWED_STATUSES)

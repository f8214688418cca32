"""
Tests of searches in the real process, including special cases of grep.
"""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ..cases import as_text
from .cases import LOVE_QUERY, LibraryTestCase, single_process_only
from .server import Server, wait_until

# Letters for which grep and Python agree on case and words.
ALPHABET = "aAbBéÉñÑ_0 .,-*[(\\+$^|\t\u2014日"
LINE = st.text(ALPHABET, max_size=12)
TERM = LINE.filter(str.strip)
BYTES = st.lists(
    st.one_of(
        LINE.map(str.encode),
        st.binary(max_size=6).map(lambda data: data.replace(b"\n", b"")),
        st.just(b"\xff bad \x00 bytes"),
    ),
    max_size=12,
)


def plain_lines(data: bytes) -> list[str]:
    """Return the lines of a file as clients get them."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        del lines[-1]
    return [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]


def expected_entries(
    lines: list[str],
    term: str,
    before: int,
    after: int,
    ignore_case: bool,
    whole_word: bool,
    nresults: int,
    offset: int,
) -> list[str]:
    """Return the expected entries, with a simple search in Python."""
    pattern = re.escape(term)
    if whole_word:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    matcher = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    entries = [
        "\n".join(lines[max(0, number - before) : number + after + 1])
        for number, line in enumerate(lines)
        if matcher.search(line)
    ][offset:]
    return entries[:nresults] if nresults > 0 else entries


class LibraryServerTestCase(LibraryTestCase):
    """A server with a library that tests write to."""

    server: Server

    def setUp(self) -> None:
        super().setUp()
        self.write(b"", "an empty one")
        self.server = self.serve("--timeout=60")

    def write(self, data: bytes, name: str = "book") -> None:
        (self.library / name).write_bytes(data)

    def search(self, term: str, **fields: object) -> list[str]:
        return self.server.query_results(
            action="search", term=term, dictionary="book", **fields
        )


class PropertyTests(LibraryServerTestCase):
    """Tests that compare results with a simple search in Python."""

    def test_results_are_the_same_as_with_a_simple_search(self) -> None:
        """The file, the term and the options are random."""

        @settings(max_examples=400)
        @given(
            lines=BYTES,
            ends=st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=12, max_size=12),
            bom=st.booleans(),
            final=st.booleans(),
            term=TERM,
            picked=st.one_of(
                st.none(), st.tuples(st.integers(0, 99), st.integers(1, 5))
            ),
            before=st.integers(0, 3),
            after=st.integers(0, 3),
            ignore_case=st.booleans(),
            whole_word=st.booleans(),
            nresults=st.integers(-1, 4),
            offset=st.integers(0, 3),
        )
        def check(
            lines: list[bytes],
            ends: list[bytes],
            bom: bool,
            final: bool,
            term: str,
            picked: tuple[int, int] | None,
            before: int,
            after: int,
            ignore_case: bool,
            whole_word: bool,
            nresults: int,
            offset: int,
        ) -> None:
            data = b"".join(line + end for line, end in zip(lines, ends, strict=False))
            if lines and not final:
                data = data.removesuffix(b"\n")
            data = b"\xef\xbb\xbf" * bom + as_text(data)
            text = plain_lines(data)
            if picked is not None:
                # A part of the file has matches more often than random text.
                joined = " ".join(text)
                start, length = picked
                substring = joined[start % max(1, len(joined)) :][:length]
                if set(substring) <= set(ALPHABET) and substring.strip():
                    term = substring
            self.write(data)
            self.assertEqual(
                self.search(
                    term,
                    n_before=before,
                    n_after=after,
                    ignore_case=ignore_case,
                    whole_word=whole_word,
                    nresults=nresults,
                    offset=offset,
                ),
                expected_entries(
                    text, term, before, after, ignore_case, whole_word, nresults, offset
                ),
            )
            self.assertEqual(
                self.server.query_results(
                    action="all", dictionary="book", nresults=nresults, offset=offset
                ),
                text[offset:][: nresults if nresults > 0 else None],
            )

        check()


class HazardTests(LibraryServerTestCase):
    """Tests of special cases of grep."""

    def test_a_term_with_a_leading_dash_is_not_an_option(self) -> None:
        """The option C{-f} would read a file."""
        secret = self.library / "secret"
        secret.write_text("password\n")
        self.write(f"password\n-v\n-f{secret}\n--help\n-- \n".encode())
        for term in ("-v", f"-f{secret}", "--help", "-- "):
            self.assertEqual(self.search(term), [term])
            self.assertEqual(self.search(term, regex=True), [term])

    def test_no_shell_runs_terms_or_names(self) -> None:
        mark = self.library / "mark"
        for hostile in (f"$(touch {mark})", f"`touch {mark}`", f"; touch {mark} #"):
            self.write(hostile.encode() + b"\n")
            self.assertEqual(self.search(hostile), [hostile])
            self.server.post_query({"action": "all", "dictionary": hostile})
        self.assertFalse(mark.exists())

    def check_searches(
        self, data: bytes, *cases: tuple[str, dict[str, object], list[str]]
    ) -> None:
        """Check the results of several searches in a text."""
        self.write(data)
        for term, fields, expected in cases:
            self.assertEqual(self.search(term, **fields), expected, (term, fields))

    def test_lines_with_nul_or_invalid_bytes_are_found(self) -> None:
        """Invalid bytes are read as U+FFFD."""
        nul, invalid = "a \0 quote", "a \ufffd quote"
        self.check_searches(
            as_text(b"a \x00 quote\na \xff quote\na quote\n"),
            ("quote", {}, [nul, invalid, "a quote"]),
            ("a . q", {"regex": True}, [nul, invalid]),
            ("\ufffd", {}, [invalid]),
        )

    def test_case_and_words_of_non_ascii_letters(self) -> None:
        self.check_searches(
            "l'école\nÉCOLE\nEcole\nnaïve\nna, na\n".encode(),
            ("École", {"ignore_case": True}, ["l'école", "ÉCOLE"]),
            ("école", {}, ["l'école"]),
            ("na", {"whole_word": True}, ["na, na"]),
        )

    def test_adjacent_matches_are_separate_entries(self) -> None:
        """Their contexts may overlap; several matches in a line are one entry."""
        self.check_searches(
            b"one\ntwo dogs\nthree dogs, dogs\nfour\n",
            (
                "dogs",
                {"n_before": 1, "n_after": 1},
                ["one\ntwo dogs\nthree dogs, dogs", "two dogs\nthree dogs, dogs\nfour"],
            ),
            ("dogs", {"n_after": 1, "nresults": 1}, ["two dogs\nthree dogs, dogs"]),
        )

    def test_lines_that_look_like_output_of_grep_are_text(self) -> None:
        """They are dashes, or start with a number."""
        self.check_searches(
            b"--\n1:dog\n2-dog\n--\n--\n--\n7:dog\n",
            ("dog", {"n_before": 1}, ["--\n1:dog", "1:dog\n2-dog", "--\n7:dog"]),
        )

    def test_line_ends_and_a_byte_order_mark_are_not_text(self) -> None:
        """Anchors match next to them."""
        self.check_searches(
            b"\xef\xbb\xbfThe dog\r\nA dog\r\nthe end\r\n",
            ("^The", {"regex": True}, ["The dog"]),
            ("dog$", {"regex": True}, ["The dog", "A dog"]),
            ("^.{5}$", {"regex": True}, ["A dog"]),
            ("dog$", {"regex": True, "n_before": 1}, ["The dog", "The dog\nA dog"]),
        )

    def test_a_long_file_with_crlf_is_searched_to_its_end(self) -> None:
        """It is written to a pipe of grep, which a limit may close early."""
        lines = [f"line {number} of quotes" for number in range(60_000)]
        self.write("\r\n".join(lines).encode())
        self.assertEqual(self.search("[0-9] of quotes$", regex=True), lines)
        first = self.search("of quotes$", regex=True, nresults=1)
        self.assertEqual(first, lines[:1])
        wait_until(lambda: not self.server.search_pids(), "the end of grep")

    def test_all_lines_are_in_order(self) -> None:
        """Blank lines are included."""
        self.write(b"one\n\n\ntwo\n \nthree")
        results = self.server.query_results(action="all", dictionary="book")
        self.assertEqual("\n".join(results), "one\n\n\ntwo\n \nthree")

    def test_no_results_are_a_success(self) -> None:
        """An empty dictionary is not an error either."""
        self.write(b"one\n")
        self.assertEqual(self.search("two"), [])
        query = {"action": "all", "dictionary": "an empty one"}
        response = self.server.post_query(query)
        self.assertEqual(response.body, b'{"nr of entries":0,"results":[]}\n')


class VolumeTests(LibraryTestCase):
    """Tests of a volume with a ConfigMap of Kubernetes as the library."""

    def write_version(self, name: str, text: str) -> None:
        """Write a version of the files, and let the link to them point to it."""
        (self.library / name).mkdir()
        (self.library / name / "first").write_text(text)
        (self.library / "..data_tmp").symlink_to(name)
        (self.library / "..data_tmp").rename(self.library / "..data")

    def test_a_new_version_of_all_files_is_served_at_once(self) -> None:
        """Its files have the names of the links to them, and no others."""
        self.write_version("..v1", "love one\n")
        (self.library / "first").symlink_to("..data/first")
        server = self.serve("--default-dictionary=first")
        for number, text in enumerate(("love one", "love two", "love three"), 1):
            if number > 1:
                self.write_version(f"..v{number}", f"{text}\n")
            for name in ("first", "*"):
                for unit in ("line", "quote"):
                    query = {**LOVE_QUERY, "dictionary": name, "unit": unit}
                    self.assertEqual(server.query_results(**query), [text])
            self.assertEqual(server.query_results(action="list"), ["first"])


class ClientTests(LibraryTestCase):
    """Tests of clients that disconnect."""

    @single_process_only("each worker has its own slots")
    def test_a_disconnect_kills_the_grep_and_frees_its_slot(self) -> None:
        (self.library / "book").write_text("love\n")
        gated, server = self.serve_gated("--max-running=2")
        clients = [server.connect().send_query(LOVE_QUERY) for _ in range(3)]
        server.wait_for_search_pids(2)
        for connection in clients:
            connection.close()
        server.wait_for_search_pids(0)
        server.wait_for_log_line("POST /api/v1/json 499")
        gated.open_gate()
        self.assertEqual(server.post_query(LOVE_QUERY).status, 200)

"""
Tests of API v1: a question in JSON, its answer in JSON.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel, capturedLogs, formatEvent

from twisted_quotes.errors import ServiceNotReady
from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.index import Index
from twisted_quotes.library.indexes import Indexes
from twisted_quotes.search import line_search, quote_search, results

from ..clients import ClientResponse, WebTestCase, captured_events, query_request


class EncodingTests(WebTestCase):
    """Tests of bodies that are compressed."""

    def list_dictionaries(self, *encodings: str) -> ClientResponse:
        """Ask for the names of the dictionaries."""
        client = self.web.connect()
        headers = "".join(f"Content-Encoding: {each}\r\n" for each in encodings)
        client.send(query_request({"action": "list"}, headers=headers))
        return client.responses()[0]

    def test_a_compressed_body_is_a_415(self) -> None:
        """It is said which header is wrong, and what is understood."""
        for encodings in (("gzip",), ("x",), ("identity, br",), ("identity", "gzip")):
            answer = self.list_dictionaries(*encodings)
            self.assert_error(answer, 415, "Content-Encoding")
            self.assertEqual(answer.header("accept-encoding"), "identity")

    def test_the_encoding_that_is_none_is_understood(self) -> None:
        """In any case."""
        for encodings in ((), ("identity",), ("Identity",), ("",)):
            self.assertEqual(self.list_dictionaries(*encodings).code, 200)


class ResponseTests(WebTestCase):
    """Tests of questions that are answered."""

    def finish_search(
        self, pending: Deferred[ClientResponse], printed: bytes, status: int = 0
    ) -> ClientResponse:
        """Have the one running grep print something and end; return the answer."""
        [process] = self.web.running_processes()
        process.print(printed)
        self.web.flush_responses()
        self.assertNoResult(pending)
        process.end(status)
        self.web.flush_responses()
        return self.successResultOf(pending)

    def test_what_grep_finds_is_answered(self) -> None:
        """The lines that grep found come back, with their number."""
        pending = self.web.post_query(action="search", term="love")
        answer = self.finish_search(pending, b"All is love.\n")
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.header("content-type"), "application/json")
        self.assertEqual(answer.json, {"nr of entries": 1, "results": ["All is love."]})
        self.assertEqual(list(answer.json), ["nr of entries", "results"])

    def test_finding_nothing_is_a_success(self) -> None:
        """An empty list is an answer like any other."""
        pending = self.web.post_query(action="search", term="hate")
        answer = self.finish_search(pending, b"", status=1)
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.json, {"nr of entries": 0, "results": []})

    def test_a_term_that_looks_like_a_pattern_is_told_of_once(self) -> None:
        """In the log, with the request's id and without the term."""
        with captured_events() as events:
            for term in ("hate", "^-- Nobody", "nothing.*"):
                pending = self.web.post_query(action="search", term=term)
                self.finish_search(pending, b"", status=1)
        [logged_event] = [each for each in events if "sign" in each]
        message = formatEvent(logged_event)
        self.assertIn('a term that has ^ at its start: without "regex"', message)
        self.assertNotIn("Nobody", message)
        self.assertIn(f"Request {logged_event['id']} ", message)
        self.assertEqual(logged_event["log_level"], LogLevel.info)

    def test_a_term_that_finds_something_or_is_a_pattern_is_not_told_of(self) -> None:
        """Nor is one that is passed over."""
        with captured_events() as events:
            pending = self.web.post_query(action="search", term="[love]")
            self.finish_search(pending, b"[love]\n")
            pending = self.web.post_query(action="search", term="^[a]$", offset=1)
            self.finish_search(pending, b"", status=1)
            pending = self.web.post_query(action="search", term="^[a]$", regex=True)
            # The first grep looks whether there are odd bytes.
            self.web.running_processes()[0].end(1)
            self.web.flush_responses()
            self.finish_search(pending, b"", status=1)
        self.assertEqual([each for each in events if "sign" in each], [])

    def test_all_lines_of_a_dictionary_are_answered(self) -> None:
        """The lines joined by line feeds are the dictionary again."""
        pending = self.web.post_query(action="all", dictionary="alpha")
        text = (self.folder / "alpha").read_bytes()
        answer = self.finish_search(pending, text)
        self.assertEqual("\n".join(answer.json["results"]) + "\n", text.decode())
        self.assertEqual(answer.json["nr of entries"], 2)

    def test_context_is_answered_with_each_match(self) -> None:
        """Two matches that stand near each other are two entries."""
        pending = self.web.post_query(action="search", term="love", n_after=1)
        answer = self.finish_search(pending, b"1:love\n2:more love\n3-hate\n")
        self.assertEqual(answer.json["results"], ["love\nmore love", "more love\nhate"])

    def test_text_that_is_not_ascii_comes_back_whole(self) -> None:
        """The length of an answer is counted in bytes."""
        pending = self.web.post_query(action="search", term="É", ignore_case=True)
        answer = self.finish_search(pending, "École - élan\n".encode())
        self.assertEqual(answer.json["results"], ["École - élan"])
        self.assertEqual(answer.header("content-length"), str(len(answer.body)))

    def test_any_content_type_will_do(self) -> None:
        """What plain C{curl -d} sends is a question in JSON, as is anything else."""
        for content_type in (
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
            "application/json",
        ):
            client = self.web.connect()
            client.send(query_request(headers=f"Content-Type: {content_type}\r\n"))
            [process] = self.web.running_processes()
            process.end(1)
            client.deliver()
            self.assertEqual([each.code for each in client.responses()], [200])

    def test_a_dictionary_can_be_named(self) -> None:
        """What is searched is the dictionary that was named."""
        pending = self.web.post_query(action="all", dictionary="sub/beta")
        self.assertEqual(
            self.finish_search(pending, b"Beta.\n").json["results"], ["Beta."]
        )


class ErrorTests(WebTestCase):
    """Tests of questions that are not answered."""

    def post_body(self, body: bytes) -> ClientResponse:
        """Ask something that is answered at once."""
        pending = self.web.request("POST", "/api/v1/json", body)
        self.assertEqual(self.web.reactor.processes, [])
        return self.successResultOf(pending)

    def test_what_is_not_one_json_object_is_a_400(self) -> None:
        """Anything but one JSON object in UTF-8 is refused, and named."""
        for body, words in (
            (b"", "not JSON"),
            (b"love", "not JSON"),
            (b'{"action": "all"', "not JSON"),
            (b'{"action": "all"}{}', "not JSON"),
            (b'{"action": "\xff"}', "not JSON"),
            (b"[" * 5000, "not JSON"),
            (b"[]", "an array"),
            (b"null", "null"),
            (b'"all"', '"all"'),
        ):
            self.assert_error(self.post_body(body), 400, words, "one JSON object")

    def test_a_field_that_is_not_right_is_a_400_that_names_it(self) -> None:
        """A missing, unknown or wrong field is named, with what is allowed."""
        for fields, *words in (
            ({"term": "x"}, '"action"', "missing"),
            ({"action": "search"}, '"term"', "missing"),
            ({"action": "search", "term": "x", "nresult": 1}, '"nresults"'),
            ({"action": "search", "term": "x", "n_after": 1001}, '"n_after"', "1000"),
            ({"action": "search", "term": "x", "regex": 1}, '"regex"', "true or false"),
            ({"action": "all", "term": "x"}, '"term"', '"all"'),
            ({"action": "all", "dictionary": ""}, '"dictionary"'),
            ({"action": 5}, '"action"', "5"),
        ):
            self.assert_error(self.post_body(json.dumps(fields).encode()), 400, *words)

    def test_a_bad_regular_expression_is_a_400(self) -> None:
        """What grep says of an expression is handed on, less its name."""
        pending = self.web.post_query(action="search", term="(", regex=True)
        [check] = self.web.reactor.processes
        check.end(1)
        [search] = self.web.running_processes()
        search.print(errors=b"grep: Unmatched ( or \\(\n")
        search.end(2)
        self.web.flush_responses()
        answer = self.successResultOf(pending)
        self.assert_error(answer, 400, '"term"', "Unmatched ( or \\(")
        self.assertNotIn("grep", answer.message)

    def test_a_dictionary_outside_the_library_is_a_403(self) -> None:
        """No name leads out of the library, and none of its path comes back."""
        (self.folder / ".hidden").write_text("x")
        (self.folder / "link").symlink_to("/etc/hostname")
        for name in ("../x", "/etc/hostname", ".hidden", "link", "sub", "a//b"):
            answer = self.successResultOf(
                self.web.post_query(action="all", dictionary=name)
            )
            self.assert_error(answer, 403, "may not be read")
            self.assertNotIn(str(self.folder.absolute()), answer.message)

    def test_a_dictionary_that_is_not_there_is_a_404(self) -> None:
        """The message names the dictionaries that are there."""
        answer = self.successResultOf(self.web.post_query(action="all", dictionary="x"))
        self.assert_error(answer, 404, '"x"', '"alpha"', '"sub/beta"')

    def test_an_unknown_action_is_a_501(self) -> None:
        """An action that is a string, but none that is known, is not implemented."""
        answer = self.post_body(b'{"action": "serch", "term": "x"}')
        self.assert_error(answer, 501, '"serch"', '"search"')

    def test_one_too_many_is_a_503(self) -> None:
        """Who finds all places taken and as many waiting as may is refused."""
        self.web = self.make_web(running=1, waiting=1)
        running, waiting, refused = (
            self.web.post_query(action="all") for _ in range(3)
        )
        self.assertNoResult(running)
        self.assertNoResult(waiting)
        answer = self.successResultOf(refused)
        self.assert_error(answer, 503, "Too many")
        self.assertEqual(answer.header("retry-after"), "1")

    def test_who_waits_is_answered_in_turn(self) -> None:
        """A place that is given back goes to who waits for it."""
        self.web = self.make_web(running=1)
        first, second = (self.web.post_query(action="all") for _ in range(2))
        for pending in (first, second):
            self.assertNoResult(pending)
            [process] = self.web.running_processes()
            process.end()
            self.web.flush_responses()
            self.assertEqual(self.successResultOf(pending).code, 200)

    def test_a_search_past_its_time_limit_is_a_504(self) -> None:
        """It is answered when its time is over, and its grep is killed."""
        self.web = self.make_web(time_limit=2.5)
        pending = self.web.post_query(action="all")
        [process] = self.web.running_processes()
        self.web.reactor.advance(2.4)
        self.web.flush_responses()
        self.assertNoResult(pending)
        self.assertEqual(process.signals, [])
        self.web.reactor.advance(0.2)
        self.web.flush_responses()
        self.assert_error(self.successResultOf(pending), 504, "2.5 seconds")
        self.assertEqual(process.signals, ["KILL"])

    def test_the_place_of_a_killed_grep_is_taken_until_it_ends(self) -> None:
        """No more greps run than may, counting those that are dying."""
        self.web = self.make_web(running=1, time_limit=1)
        pending = self.web.post_query(action="all")
        [dying] = self.web.running_processes()
        self.web.reactor.advance(1)
        self.web.flush_responses()
        self.successResultOf(pending)
        next_one = self.web.post_query(action="all")
        self.assertEqual(self.web.running_processes(), [dying])
        dying.end(signal=9)
        [process] = self.web.running_processes()
        process.end()
        self.web.flush_responses()
        self.assertEqual(self.successResultOf(next_one).code, 200)


class IncidentTests(WebTestCase):
    """Tests of what goes wrong in the service itself."""

    def assert_incident(self, answer: ClientResponse, kind: type[Exception]) -> None:
        """It is a 500 whose id the log has too, and which tells nothing else."""
        self.assert_error(answer, 500)
        [failure] = self.flushLoggedErrors(kind)
        for inside in ("/grep", "grep", "LC_ALL", "Traceback", kind.__name__, "love"):
            self.assertNotIn(inside, answer.message.removesuffix(self.link))
        self.assertNotIn(str(Path(self.folder).absolute()), answer.message)
        self.assertIn(kind.__name__, failure.getTraceback())

    link = "/api/v1/web"

    def test_a_missing_grep_is_a_500(self) -> None:
        """That grep cannot be started is for the log alone."""
        self.web.reactor.spawn_error = FileNotFoundError(2, "No such file", "/grep")
        with captured_events() as events:
            pending = self.web.post_query(action="search", term="love")
        answer = self.successResultOf(pending)
        self.assert_incident(answer, FileNotFoundError)
        [event] = [each for each in events if "log_failure" in each]
        self.assertIn(event["id"], answer.message)

    def test_a_grep_killed_from_outside_is_a_500(self) -> None:
        """That somebody killed grep is for the log alone."""
        pending = self.web.post_query(action="search", term="love")
        [process] = self.web.running_processes()
        process.end(signal=9)
        self.web.flush_responses()
        self.assert_incident(self.successResultOf(pending), GrepFailed)

    def test_a_grep_that_fails_is_a_500(self) -> None:
        """What grep complains of is for the log alone."""
        pending = self.web.post_query(action="search", term="love")
        [process] = self.web.running_processes()
        process.print(b"love\n", errors=b"grep: (standard input): Input/output error\n")
        process.end(2)
        self.web.flush_responses()
        self.assert_incident(self.successResultOf(pending), GrepFailed)

    def test_a_place_is_given_back_after_an_incident(self) -> None:
        """A grep that could not be started takes no place."""
        self.web = self.make_web(running=1)
        self.web.reactor.spawn_error = BlockingIOError(11, "try again")
        for _ in range(3):
            answer = self.successResultOf(self.web.post_query(action="all"))
            self.assert_error(answer, 503)
            self.assertIn("any more processes", answer.message)
        self.web.reactor.spawn_error = None
        pending = self.web.post_query(action="all")
        [process] = self.web.running_processes()
        process.end()
        self.web.flush_responses()
        self.assertEqual(self.successResultOf(pending).code, 200)


class LogTests(WebTestCase):
    """Tests of what is logged of the terms."""

    term = "zanzibar"

    def test_the_term_is_logged_for_debugging_alone(self) -> None:
        """Who looks for the terms finds them at debug, and nowhere else."""
        with capturedLogs() as events:
            for dictionary in ("alpha", "none"):
                query = {"action": "search", "term": self.term}
                self.web.connect().send(
                    query_request({**query, "dictionary": dictionary})
                )
                self.web.end_processes()
        levels = [each["log_level"] for each in events if self.term in str(each)]
        self.assertEqual(levels, [LogLevel.debug] * 2)

    def test_a_term_that_is_not_right_is_not_logged(self) -> None:
        """What an error says of a term does not hold it."""
        for fields in (
            {"action": "search", "term": f"{self.term}\n"},
            {"action": "search", "term": self.term, "unknown": 1},
            {"action": "search", "term": self.term, "n_after": -1},
            {"action": "search", "term": [self.term]},
            {"action": "search", "term": {self.term: 1}},
            {"action": "search", "term": self.term * 1000},
            {"action": "all", "term": self.term},
            {"action": "find", "term": self.term},
            {"action": "search", "term": self.term, "dictionary": "none"},
        ):
            with captured_events() as events:
                client = self.web.connect()
                client.send(query_request(fields))
            self.assertGreaterEqual(client.responses()[0].code, 400)
            self.assertTrue(events)
            self.assertNotIn(self.term, str(events))


class RequestCoalescingTests(WebTestCase):
    """Tests of questions that are asked more than once."""

    def setUp(self) -> None:
        """Have answers kept."""
        super().setUp()
        self.web = self.make_web(cache_bytes=100_000)

    def post_query(self, **fields: object) -> Deferred[ClientResponse]:
        """Ask something."""
        return self.web.post_query(**{"action": "search", "term": "love", **fields})

    def end_grep(self, output: bytes = b"love\n", status: int = 0) -> None:
        """Have the one grep that runs print something and end."""
        [process] = self.web.running_processes()
        process.print(output)
        process.end(status)
        self.web.flush_responses()

    def test_one_grep_answers_all_who_ask_the_same(self) -> None:
        """At the same time, and later, byte for byte."""
        pending = [self.post_query() for _ in range(5)]
        self.end_grep()
        pending.append(self.post_query())
        self.web.flush_responses()
        answers = [self.successResultOf(each) for each in pending]
        self.assertEqual({each.body for each in answers}, {answers[0].body})
        self.assertEqual(answers[5].json["results"], ["love"])
        self.assertEqual(answers[5].header("content-type"), "application/json")
        self.assertEqual(len(self.web.reactor.processes), 1)

    def test_a_changed_file_is_not_answered_from_the_past(self) -> None:
        """Its state is part of what is asked."""
        self.post_query()
        self.end_grep()
        (self.folder / "alpha").write_bytes(b"new love\n")
        pending = self.post_query()
        self.end_grep(b"new love\n")
        self.assertEqual(self.successResultOf(pending).json["results"], ["new love"])

    def test_a_file_that_may_no_longer_be_read_is_looked_at_again(self) -> None:
        """Who may read it is a part of its state."""
        self.post_query()
        self.end_grep()
        (self.folder / "alpha").chmod(0o600)
        pending = self.post_query()
        self.end_grep(b"love again\n")
        self.assertEqual(self.successResultOf(pending).json["results"], ["love again"])

    def test_what_could_change_unseen_is_not_kept(self) -> None:
        """A file that was written just now could be written once more in that tick."""
        written = (self.folder / "alpha").stat().st_ctime
        self.web = self.make_web(cache_bytes=100_000, now=written + 0.01)
        for _ in range(2):
            self.post_query()
            self.end_grep()
        self.assertEqual(len(self.web.reactor.processes), 2)

    def test_what_changed_while_it_was_searched_is_not_kept(self) -> None:
        """The answer may be from either state."""
        link, beta = self.folder / "link", self.folder / "sub" / "beta"
        link.symlink_to("alpha")
        self.post_query(dictionary="link")
        link.unlink()
        link.symlink_to(beta)
        self.end_grep()
        link.unlink()
        link.symlink_to("alpha")
        self.post_query(dictionary="link")
        self.assertEqual(len(self.web.running_processes()), 1)

    def test_a_file_with_a_time_of_more_than_64_bits_is_searched(self) -> None:
        """Such as tmpfs keeps."""
        real = os.lstat

        def lstat(path: str) -> os.stat_result:
            status = real(path)
            times = {"st_mtime_ns": 10**21, "st_ctime_ns": status.st_ctime_ns}
            return os.stat_result(status[:10], times)

        self.patch(os, "lstat", lstat)
        pending = self.post_query()
        self.end_grep()
        self.assertEqual(self.successResultOf(pending).json["results"], ["love"])

    def test_what_leaves_a_dictionary_out_is_not_kept(self) -> None:
        """When its index is there, the answer is another one."""
        question = {"action": "all", "unit": "quote", "dictionary": "*"}
        get = Indexes.get

        def get_others(
            indexes: Indexes, dictionary: Dictionary, patient: bool = True
        ) -> Deferred[Index]:
            if dictionary.path.endswith("alpha"):
                return fail(ServiceNotReady("an index"))
            return get(indexes, dictionary, patient)

        with patch.object(Indexes, "get", get_others):
            partial_response = self.successResultOf(self.web.post_query(**question))
        complete_response = self.successResultOf(self.web.post_query(**question))
        counts = [
            each.json["nr of entries"] for each in (partial_response, complete_response)
        ]
        self.assertEqual(counts, [1, 2])

    def test_each_question_has_its_own_answer(self) -> None:
        """However alike they are."""
        for fields in (
            {},
            {"ignore_case": True},
            {"whole_word": True},
            {"nresults": 1},
            {"offset": 1},
            {"n_after": 1},
            {"term": "Love"},
            {"dictionary": "sub/beta"},
        ):
            self.post_query(**fields)
            self.end_grep(b"1:love\n")
        self.assertEqual(len(self.web.reactor.processes), 8)

    def test_an_error_is_not_kept(self) -> None:
        """It may be mended at any time."""
        pending = self.post_query()
        self.end_grep(status=2)
        self.assertEqual(self.successResultOf(pending).code, 500)
        self.assertEqual(len(self.flushLoggedErrors(GrepFailed)), 1)
        pending = self.post_query()
        self.end_grep()
        self.assertEqual(self.successResultOf(pending).code, 200)

    def test_what_chance_decides_is_not_shared(self) -> None:
        """Unless a seed decides it."""
        (self.folder / "alpha").write_text("\n\n".join(str(n) for n in range(500)))

        def draw(**fields: object) -> str:
            answer = self.successResultOf(
                self.web.post_query(action="random", **fields)
            )
            [drawn] = answer.json["results"]
            return str(drawn)

        self.assertGreater(len({draw() for _ in range(5)}), 1)
        self.assertEqual(len({draw(seed=1) for _ in range(5)}), 1)

    def test_a_long_answer_is_sent_to_each_by_itself(self) -> None:
        """As fast as each takes it; it is not kept."""
        self.patch(line_search, "MAX_BUFFERED", 20)
        text = b"".join(b"love %d\n" % n for n in range(9))
        (self.folder / "alpha").write_bytes(text)
        clients = [self.web.connect() for _ in range(2)]
        for client in clients:
            client.send(query_request({"action": "all"}))
        while running := self.web.running_processes():
            counts = "-c" in running[0].arguments
            running[0].print(b"9\n" if counts else text)
            running[0].end()
        for client in clients:
            client.deliver()
            [answer] = client.responses()
            self.assertEqual(len(answer.json["results"]), 9)

    def test_what_is_known_to_be_long_is_not_tried_at_once_again(self) -> None:
        """One grep finds that it is, one counts, and one finds the entries."""
        self.patch(line_search, "MAX_BUFFERED", 20)
        text = b"".join(b"love %d\n" % n for n in range(9))
        (self.folder / "alpha").write_bytes(text)
        pending = self.post_query(ignore_case=True)
        for output in (text, b"9\n", b"".join(b"%d:love\n" % n for n in range(1, 10))):
            self.end_grep(output)
        self.assertEqual(self.successResultOf(pending).json["results"], ["love"] * 9)

    def test_a_known_long_answer_is_not_looked_for_at_once_by_who_asks_next(
        self,
    ) -> None:
        """One grep counts and one finds the entries, for lines and for quotes."""
        self.patch(line_search, "MAX_BUFFERED", 20)
        text = b"".join(b"love %d\n" % n for n in range(9))
        (self.folder / "alpha").write_bytes(text)
        outputs = text, b"9\n", b"".join(b"%d:love\n" % n for n in range(1, 10))
        for again, left in ((False, outputs), (True, outputs[1:])):
            pending = self.post_query(ignore_case=True)
            for output in left:
                self.end_grep(output)
            self.assertEqual(
                self.successResultOf(pending).json["results"], ["love"] * 9, again
            )

    def test_a_known_long_answer_of_quotes_is_counted_first(self) -> None:
        """Nothing of it is gathered once more, to be thrown away."""
        self.patch(results, "CHUNK_SIZE", 20)
        text = "\n\n".join(f"love {n}" for n in range(9))
        (self.folder / "alpha").write_text(text)
        buffers = []

        def make_buffer(limit: int | None) -> results.BufferedQuotes:
            buffers.append(results.BufferedQuotes(limit))
            return buffers[-1]

        self.patch(quote_search, "BufferedQuotes", make_buffer)
        for _ in range(2):
            pending = self.web.post_query(action="all", unit="quote")
            self.web.flush_responses()
            self.assertEqual(self.successResultOf(pending).json["nr of entries"], 9)
        self.assertEqual(len(buffers), 1)

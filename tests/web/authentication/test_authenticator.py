"""
Tests for L{twisted_quotes.web.authentication.authenticator}.
"""

from __future__ import annotations

from base64 import b64encode
from io import StringIO
from re import findall
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin, UnhandledCredentials
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, capturedLogs, eventAsText, jsonFileLogObserver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter
from twisted_quotes.errors import NotAuthenticated
from twisted_quotes.web.authentication.authenticator import (
    escape_username,
    parse_credentials,
)
from twisted_quotes.web.authentication.credentials import make_portal
from twisted_quotes.web.authentication.password_table import MalformedHash

from ..clients import (
    CLIENT,
    LOVE_QUERY,
    ClientResponse,
    FakeSocket,
    WebTestCase,
    get_request,
    query_request,
    request_events,
)
from .cases import hash_quickly, make_password_file

OPEN_PATHS = ("/livez", "/readyz", "/metrics")
PROTECTED_PATHS = (
    "/",
    "/static/style.css",
    "/docs",
    "/api/v1/web",
    "/api/v2/quotes",
    "/api/v2/quotes/random",
    "/api/v2/quotes/0123456789abcdef01234567",
    "/api/v2/dictionaries",
    "/wait?seconds=1",
)

BASIC_CHALLENGE = 'Basic realm="twisted_quotes", charset="UTF-8"'
BEARER_CHALLENGE = 'Bearer realm="twisted_quotes"'
TOKEN_HEADER = "Authorization: Bearer alice.secret\r\n"
INVALID_TOKEN_CHALLENGE = f'{BEARER_CHALLENGE}, error="invalid_token"'


def basic_credentials(name: str, password: str) -> str:
    """Return the Authorization header for Basic credentials."""
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


class ParseCredentialsTests(SynchronousTestCase):
    def test_valid_headers(self) -> None:
        for header, name, password, is_bearer in (
            # The examples of RFC 7617, sections 2 and 2.1.
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame", False),
            ("Basic dGVzdDoxMjPCow==", "test", "123£", False),
            # A password may contain the separator.
            (basic_credentials("a", "b:c:"), "a", "b:c:", False),
            ("Bearer alice.s3cr-t", "alice", "s3cr-t", True),
            ("Bearer a.b.c==", "a", "b.c==", True),
            # Schemes are case-insensitive, and any number of blanks may follow.
            ("bearer a.b", "a", "b", True),
            ("BEARER a.b", "a", "b", True),
            ("BeArEr   a.b", "a", "b", True),
            ("bASIC  YTpi", "a", "b", False),
        ):
            credentials, by_token = parse_credentials([header.encode()])
            self.assertEqual(credentials.username.decode(), name)
            self.assertEqual(credentials.password.decode(), password)
            self.assertEqual(by_token, is_bearer)

    def test_missing_or_malformed_headers_are_an_error(self) -> None:
        """A malformed token counts as a wrong token."""
        cases: list[tuple[list[bytes], str]] = [
            ([], "requires authentication"),
            ([b"Bearer a.b", b"Bearer a.b"], "more than one"),
            *(
                ([header], "neither Basic nor Bearer")
                for header in (b"", b"Digest x", b"Basically YTpi", b"YTpi", b"b\xff")
            ),
            ([b"Bearer\ta.b"], "neither Basic nor Bearer"),
            *(
                ([b"Basic " + token], "base64")
                for token in (b"YTpi!", b"YTp", b"YTpi YTpi", b"alice:secret", b"\xff")
            ),
            *(
                ([b"Basic " + b64encode(pair)], words)
                for pair, words in (
                    (b"a:\xff", "UTF-8"),
                    (b"", "NAME:PASSWORD"),
                    (b"alice", "NAME:PASSWORD"),
                    (b":", "NAME:PASSWORD"),
                    (b"alice:", "NAME:PASSWORD"),
                    (b":secret", "NAME:PASSWORD"),
                    (b"alice:a\0b", "control"),
                    (b"al\nice:secret", "control"),
                    (b"alice:\x7f", "control"),
                )
            ),
            *(
                ([b"Bearer " + token], "NAME.PASSWORD")
                for token in b" . alice a. .b a.b=c a.\xff".split(b" ")
            ),
            ([b"Bearer a.b c"], "NAME.PASSWORD"),
        ]
        for headers, words in cases:
            with self.assertRaises(NotAuthenticated) as raised:
                parse_credentials(headers)
            self.assertIn(words, raised.exception.message, headers)
            is_bearer = words == "NAME.PASSWORD"
            self.assertEqual(raised.exception.is_bearer_token, is_bearer, headers)

    @settings(max_examples=200)
    @given(st.sampled_from([b"", b"Basic ", b"Bearer "]), st.binary())
    def test_any_bytes_are_parsed_or_an_error(self, scheme: bytes, rest: bytes) -> None:
        try:
            credentials, _ = parse_credentials([scheme + rest])
        except NotAuthenticated as error:
            self.assertEqual(error.code, 401)
        else:
            self.assertTrue(credentials.username and credentials.password)


class EscapeUsernameTests(SynchronousTestCase):
    def test_a_plain_name_is_unchanged(self) -> None:
        self.assertEqual(escape_username(b"alice.b-C_1@example"), "alice.b-C_1@example")

    def test_what_could_break_a_line_is_escaped(self) -> None:
        """The result is one visible word, and never the sign for no user."""
        for name, escaped in (
            (b"a b", r"a\x20b"),
            (b'"', r"\x22"),
            (b"\\", r"\x5c"),
            ("é".encode(), r"\xc3\xa9"),
            (b"\x1b\n\x7f", r"\x1b\x0a\x7f"),
            (b"-", r"\x2d"),
            (b"--", "--"),
        ):
            self.assertEqual(escape_username(name), escaped)


@implementer(ICredentialsChecker)
class SlowChecker:
    """A checker whose result the test sets."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.result: Deferred[Any] = Deferred()

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        return self.result


class AuthenticatorTestCase(WebTestCase):
    """Provides a service with the users C{alice} and C{zoë}."""

    def setUp(self) -> None:
        super().setUp()
        self.passwords = self.temporary_folder / "passwords"
        self.passwords.write_text("alice:secret\nzoë:pass wörd\n", "utf-8")
        self.portal = make_portal([make_password_file(self.passwords)])
        self.web = self.make_web(portal=self.portal)

    def request(
        self, path: str, authorization: str | None = None, method: str = "GET"
    ) -> ClientResponse:
        headers = {"Authorization": authorization} if authorization else {}
        return self.successResultOf(self.web.request(method, path, headers=headers))

    def assert_refused(
        self, response: ClientResponse, *words: str, bearer: str = BEARER_CHALLENGE
    ) -> None:
        self.assert_error(response, 401, *words)
        challenges = response.headers.getRawHeaders("www-authenticate")
        self.assertEqual(challenges, [BASIC_CHALLENGE, bearer])
        self.assertEqual(self.web.reactor.processes, [])


class AuthenticationTests(AuthenticatorTestCase):
    def test_without_credentials_only_public_urls_respond(self) -> None:
        for url in PROTECTED_PATHS:
            self.assert_refused(self.request(url), "requires authentication")
        self.assert_refused(self.request("/api/v1/json", method="POST"))

    def test_users_are_authenticated_by_either_scheme(self) -> None:
        for authorization in (
            basic_credentials("alice", "secret"),
            basic_credentials("zoë", "pass wörd"),
            "Bearer alice.secret",
        ):
            for url in ("/", "/static/style.css", "/docs"):
                self.assertEqual(self.request(url, authorization).code, 200)
            for url in PROTECTED_PATHS[3:]:
                self.web.request("GET", url, headers={"Authorization": authorization})
        self.assertNotEqual(self.web.reactor.processes, [])

    def test_an_authenticated_search_is_answered(self) -> None:
        client = self.web.connect()
        header = f"Authorization: {basic_credentials('alice', 'secret')}\r\n"
        client.send(query_request(LOVE_QUERY, headers=header))
        [process] = self.web.running_processes()
        process.print(b"All is love.\n")
        process.end()
        client.deliver()
        [response] = client.responses()
        self.assertEqual(response.json["results"], ["All is love."])

    def test_a_wrong_name_or_password_is_a_401(self) -> None:
        """The message does not tell which of the two is wrong."""
        words = "The name or the password is wrong."
        for name, password in (
            ("alice", "Secret"),
            ("alice", "secret\u00a0"),
            ("carol", "secret"),
            ("Alice", "secret"),
        ):
            for url in PROTECTED_PATHS:
                self.assert_refused(
                    self.request(url, basic_credentials(name, password)), words
                )
        for token in ("alice.Secret", "carol.secret"):
            response = self.request("/api/v2/quotes", f"Bearer {token}")
            self.assert_refused(response, words, bearer=INVALID_TOKEN_CHALLENGE)

    def test_malformed_credentials_are_a_401(self) -> None:
        self.assert_refused(self.request("/", "Basic %"), "base64")
        self.assert_refused(self.request("/", "Digest x"), "neither")
        response = self.request("/", "Bearer secret")
        self.assert_refused(response, "NAME.PASSWORD", bearer=INVALID_TOKEN_CHALLENGE)

    def test_two_headers_are_refused(self) -> None:
        """Even if both are valid."""
        client = self.web.connect()
        client.send(get_request("/", headers=TOKEN_HEADER * 2))
        self.assert_refused(client.responses()[0], "more than one")

    def test_head_is_refused_without_a_body(self) -> None:
        client = self.web.connect()
        client.send(get_request("/", "HEAD") + get_request("/"))
        head, got = client.responses("HEAD", "GET")
        self.assertEqual((head.code, head.body), (401, b""))
        self.assert_refused(got)
        for name in ("content-type", "content-length"):
            self.assertEqual(head.header(name), got.header(name))
        self.assertEqual(
            head.headers.getRawHeaders("www-authenticate"),
            [BASIC_CHALLENGE, BEARER_CHALLENGE],
        )

    def test_public_urls_ignore_credentials(self) -> None:
        for url in OPEN_PATHS:
            for authorization in (
                None,
                "Bearer x",
                basic_credentials("alice", "wrong"),
            ):
                self.assertEqual(self.request(url, authorization).code, 200)

    def test_options_for_the_server_requires_authentication(self) -> None:
        client = self.web.connect()
        client.send(
            get_request("*", "OPTIONS") + get_request("*", "OPTIONS", TOKEN_HEADER)
        )
        refused, answered = client.responses()
        self.assert_error(refused, 401)
        self.assertEqual((answered.code, answered.body), (204, b""))

    def test_similar_paths_to_public_urls_require_authentication(self) -> None:
        for path in ("//metrics", "/%2Fmetrics", "/metrics//", "//", "/*"):
            for method in ("GET", "POST"):
                client = self.web.connect()
                client.send(get_request(path, method))
                self.assert_error(client.responses()[0], 401)

    def test_a_service_without_a_portal_is_public(self) -> None:
        """Credentials are not even read."""
        self.web = self.make_web()
        for authorization in (None, "Bearer x", basic_credentials("alice", "wrong")):
            self.assertEqual(self.request("/", authorization).code, 200)
            self.assert_error(self.request("/x", authorization), 404)

    def test_a_portal_without_checkers_admits_nobody(self) -> None:
        self.web = self.make_web(portal=make_portal([]))
        self.assert_refused(self.request("/", basic_credentials("alice", "secret")))

    def test_a_new_password_replaces_the_old_one_at_once(self) -> None:
        self.passwords.write_text("alice:other\n")
        self.assert_refused(self.request("/", basic_credentials("alice", "secret")))
        self.assertEqual(
            self.request("/", basic_credentials("alice", "other")).code, 200
        )


class HashedPasswordTests(AuthenticatorTestCase):
    """Tests of a password file with hashes, which are verified one at a time."""

    def setUp(self) -> None:
        super().setUp()
        self.passwords.write_text(f"alice:{hash_quickly('secret')}\nbob:plain\n")
        self.verifications: list[tuple[Deferred[Any], Any, tuple[Any, ...]]] = []
        checker = make_password_file(
            self.passwords, self.start_verification, ConcurrencyLimiter(1, 2)
        )
        self.web = self.make_web(portal=make_portal([checker]))

    def start_verification(self, function: Any, /, *arguments: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.verifications.append((result, function, arguments))
        return result

    def finish_verification(self) -> None:
        result, function, arguments = self.verifications.pop(0)
        result.callback(function(*arguments))

    def send(self, token: str, client: str = CLIENT) -> FakeSocket:
        """Send a request with a bearer token from the address of a client."""
        socket = self.web.connect(client)
        header = f"Authorization: Bearer {token}\r\n"
        socket.send(get_request("/static/style.css", headers=header))
        return socket

    def test_a_hash_is_verified_before_the_response(self) -> None:
        client = self.send("alice.secret")
        self.assertEqual(client.responses(), [])
        self.finish_verification()
        client.deliver()
        self.assertEqual(client.codes, [200])

    def test_both_schemes_and_all_urls_share_a_verification(self) -> None:
        client = self.send("alice.secret")
        self.finish_verification()
        client.deliver()
        for path in ("/static/style.css", "/dictionaries"):
            authorization = basic_credentials("alice", "secret")
            self.assertEqual(self.request(path, authorization).code, 200)
        self.assertEqual(self.request("/x", "Bearer alice.secret").code, 404)
        self.assertEqual(self.verifications, [])

    def test_users_of_any_file_are_remembered(self) -> None:
        """A user of the second file is unknown in the first one."""
        second = self.temporary_folder / "second"
        second.write_text(f"zoë:{hash_quickly('secret')}\nyan:plain\n", "utf-8")
        checkers = [
            make_password_file(path, self.start_verification)
            for path in (self.passwords, second)
        ]
        self.web = self.make_web(portal=make_portal(checkers))
        for name, password, count in (
            *(("zoë", "secret", 2), ("yan", "plain", 1), ("alice", "secret", 1)),
        ):
            authorization = basic_credentials(name, password)
            pending = self.web.request(
                "GET", "/dictionaries", headers={"Authorization": authorization}
            )
            for _ in range(count):
                self.assertNoResult(pending)
                self.finish_verification()
                self.web.flush_responses()
            self.assertEqual(self.successResultOf(pending).code, 200)
            self.assertEqual(self.request("/dictionaries", authorization).code, 200)

    def test_a_wrong_password_is_a_401(self) -> None:
        for token in ("alice.wrong", "bob.wrong", "carol.wrong"):
            client = self.send(token)
            self.finish_verification()
            client.deliver()
            [response] = client.responses()
            self.assert_refused(
                response,
                "The name or the password is wrong.",
                bearer=INVALID_TOKEN_CHALLENGE,
            )

    def test_guesses_do_not_stop_the_others(self) -> None:
        """Neither health checks, nor those who are known, nor other clients."""
        known = self.send("alice.secret")
        self.finish_verification()
        known.deliver()
        guesses = [self.send(f"alice.{number}") for number in range(5)]
        self.assertEqual([each.codes for each in guesses], [[]] * 3 + [[503]] * 2)
        self.assertEqual(guesses[3].responses()[0].header("retry-after"), "1")
        for token in ("alice.secret", "bob.plain"):
            self.assertEqual(self.send(token).codes, [200])
        self.assertEqual(self.request("/livez").code, 200)
        other = self.send("carol.x", "192.0.2.9")
        guesses[2].deliver()
        self.assertEqual(guesses[2].codes, [429])
        self.finish_verification()
        self.finish_verification()
        other.deliver()
        self.assertEqual(other.codes, [401])

    def test_a_malformed_hash_is_a_500_until_it_is_corrected(self) -> None:
        content = self.passwords.read_text()
        self.passwords.write_text(f"{content}dan:$argon2id$hunter2\n")
        with capturedLogs() as events:
            client = self.send("bob.plain")
        self.assert_error(client.responses()[0], 500)
        self.assertEqual(len(self.flushLoggedErrors(MalformedHash)), 1)
        logged = "".join(map(format_everything, events))
        self.assertIn("line 3", logged)
        self.assertNotIn("hunter2", logged)
        self.passwords.write_text(content)
        self.assertEqual(self.send("bob.plain").codes, [200])


class AuthenticationErrorTests(AuthenticatorTestCase):
    def test_an_unauthenticated_client_cannot_probe_for_urls(self) -> None:
        for method, url in (
            ("GET", "/x"),
            ("GET", "/livez//"),
            ("GET", "/api/v1/web/"),
            ("OPTIONS", "/api/v1/web"),
            ("OPTIONS", "/x"),
            ("POST", "/api/v1/web"),
            ("GET", "/api/v1/json"),
        ):
            self.assert_refused(self.request(url, method=method))
            self.assert_refused(
                self.request(url, basic_credentials("alice", "wrong"), method)
            )

    def test_an_authenticated_client_gets_the_usual_errors(self) -> None:
        known = "Bearer alice.secret"
        self.assert_error(self.request("/x", known), 404, "nothing at that URL")
        response = self.request("/api/v1/web", known, "POST")
        self.assert_error(response, 405, "GET, HEAD")
        self.assertEqual(response.header("allow"), "GET, HEAD, OPTIONS")

    def test_a_wrong_method_for_a_public_url_is_a_405(self) -> None:
        for url in OPEN_PATHS:
            for each in (url, f"{url}/"):
                self.assert_error(self.request(each, method="POST"), 405, "GET, HEAD")
                self.assertEqual(self.request(each, method="OPTIONS").code, 204)

    def test_invalid_requests_are_refused_without_authentication(self) -> None:
        for sent, code in (
            (b"nonsense\r\n", 400),
            (get_request("/%ff"), 400),
            (query_request(b"x" * 70000), 413),
        ):
            client = self.web.connect()
            client.send(sent)
            self.assertEqual(client.codes, [code])

    def test_a_missing_password_file_is_a_500(self) -> None:
        self.assertEqual(
            self.request("/", basic_credentials("alice", "secret")).code, 200
        )
        away = self.passwords.rename(self.temporary_folder / "away")
        for url in (*PROTECTED_PATHS, "/x"):
            response = self.request(url, basic_credentials("alice", "secret"))
            self.assert_error(response, 500, "went wrong in the service")
            self.assertNotIn("passwords", response.message)
            self.assertFalse(response.headers.hasHeader("www-authenticate"))
        [*failures] = self.flushLoggedErrors(FileNotFoundError)
        self.assertEqual(len(failures), len(PROTECTED_PATHS) + 1)
        self.assertEqual(self.web.reactor.processes, [])
        self.assert_refused(self.request("/"))
        self.assertEqual(self.request("/livez").code, 200)
        away.rename(self.passwords)
        self.assertEqual(
            self.request("/", basic_credentials("alice", "secret")).code, 200
        )


class SlowCheckerTests(AuthenticatorTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.checker = SlowChecker()
        self.web = self.make_web(portal=make_portal([self.checker]))
        self.client = self.web.connect()
        self.client.send(query_request(LOVE_QUERY, headers=TOKEN_HEADER))

    def assert_checker_error(self, error: Exception, code: int) -> None:
        """Let the checker fail, and assert the status of the response."""
        self.checker.result.errback(error)
        self.client.deliver()
        self.assert_error(self.client.responses()[0], code)
        self.assertEqual(self.web.reactor.processes, [])

    def test_the_search_starts_after_authentication(self) -> None:
        self.assertEqual(self.client.responses(), [])
        self.assertEqual(self.web.reactor.processes, [])
        self.checker.result.callback(b"alice")
        self.assertEqual(len(self.web.running_processes()), 1)

    def test_the_message_of_the_checker_is_not_logged(self) -> None:
        with capturedLogs() as events:
            self.assert_checker_error(
                UnauthorizedLogin("alice has another password"), 401
            )
        self.assertNotIn("alice", "".join(map(format_everything, events)))

    def test_a_checker_without_a_name_is_a_401(self) -> None:
        self.checker.result.callback(())
        self.client.deliver()
        self.assert_error(self.client.responses()[0], 401)
        self.assertEqual(self.web.reactor.processes, [])

    def test_a_checker_that_cannot_check_is_a_500(self) -> None:
        self.assert_checker_error(UnhandledCredentials(), 500)
        self.assertEqual(len(self.flushLoggedErrors(LoginFailed)), 1)

    def test_a_disconnect_cancels_the_check(self) -> None:
        self.client.disconnect()
        self.assertTrue(self.checker.result.called)
        self.assertEqual(self.web.reactor.processes, [])

    def test_a_disconnect_during_the_check_for_an_unknown_url_is_no_error(self) -> None:
        for outcome in (b"alice", Failure(UnauthorizedLogin())):
            checker = SlowChecker()
            client = self.make_web(portal=make_portal([checker])).connect()
            client.send(get_request("/x", headers=TOKEN_HEADER))
            client.disconnect()
            checker.result.callback(outcome)
            self.assertEqual(client.received, b"")


def format_everything(event: LogEvent) -> str:
    """Format an event as text, with its traceback, and as JSON."""
    written = StringIO()
    jsonFileLogObserver(written)(event)
    return f"{eventAsText(event)} {written.getvalue()} {event}"


class AuthenticationLogTests(AuthenticatorTestCase):
    def start_service(self) -> None:
        """Start a service with an access log."""
        self.log = self.temporary_folder / "access.log"
        self.web = self.make_web(portal=self.portal, access_log=self.log)
        self.web.site.doStart()
        self.addCleanup(self.web.site.doStop)

    def logged_events(
        self, authorization: str | None, url: str = "/"
    ) -> list[LogEvent]:
        """Get a URL, and return all events."""
        header = f"Authorization: {authorization}\r\n" if authorization else ""
        with capturedLogs() as events:
            self.web.connect().send(get_request(url, headers=header))
        return list(events)

    def logged_user(self, authorization: str | None, url: str = "/") -> object:
        """Return the user in the event of the request."""
        [event] = request_events(self.logged_events(authorization, url))
        return event["user"]

    def test_the_event_names_the_user(self) -> None:
        self.assertEqual(self.logged_user("Bearer alice.secret"), "alice")
        self.assertEqual(self.logged_user("Bearer alice.secret", "/x"), "alice")
        self.assertEqual(
            self.logged_user(basic_credentials("zoë", "pass wörd")), r"zo\xc3\xab"
        )

    def test_a_name_that_is_not_authenticated_is_not_logged(self) -> None:
        """It may be a password in the wrong field."""
        for authorization in (
            None,
            "Bearer alice.wrong",
            basic_credentials("secret", "alice"),
        ):
            self.assertIsNone(self.logged_user(authorization))
        self.assertIsNone(self.logged_user("Bearer alice.secret", "/livez"))

    def test_the_access_log_names_the_user(self) -> None:
        self.passwords.write_text('alice:secret\na" \\b:secret\n-:secret\n')
        self.start_service()
        self.logged_events("Bearer alice.secret")
        self.logged_events(basic_credentials('a" \\b', "secret"))
        self.logged_events("Bearer -.secret")
        self.logged_events("Bearer alice.wrong")
        self.logged_events(None, "/livez")
        lines = self.log.read_text()
        users = findall(r"(?m)^192\.0\.2\.1 - (\S+) \[", lines)
        self.assertEqual(users, ["alice", r"a\x22\x20\x5cb", r"\x2d", "-", "-"])

    def test_no_credentials_are_logged(self) -> None:
        self.start_service()
        secret, unknown = (
            basic_credentials("alice", "secret"),
            basic_credentials("mallory", "guess"),
        )
        tried = [secret, unknown, "Bearer alice.secret", "Bearer mallory.guess"]
        tried += ["Bearer guess", "Basic guess", f"{secret}!", "mallory guess"]
        tried += [basic_credentials("mallory", "")]
        events = []
        for url in ("/", "/x", "/livez"):
            for authorization in tried:
                events += self.logged_events(authorization, url)
        self.passwords.unlink()
        for authorization in tried:
            events += self.logged_events(authorization)
        self.assertEqual(len(self.flushLoggedErrors(FileNotFoundError)), 4)
        self.assertEqual(len(request_events(events)), 4 * len(tried))
        logged = "".join(map(format_everything, events)) + self.log.read_text()
        self.assertIn("alice", logged)
        words = ["secret", "mallory", "guess"]
        for word in (*words, *(each.split()[1] for each in tried[:2])):
            self.assertNotIn(word, logged)

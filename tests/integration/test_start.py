"""
How the real process starts, or does not.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from functools import partial
from signal import SIGKILL, SIGTERM

from .cases import LibraryTestCase
from .http_connection import TIMEOUT, HTTPConnection
from .server import ROOT, UNPRIVILEGED_PREFIX, has_exited, running_server, wait_until


class StartTests(LibraryTestCase):
    """What C{twist quotes} makes of its options."""

    def setUp(self) -> None:
        """Make a library of two dictionaries."""
        super().setUp()
        (self.library / "b").write_text("second\n")
        (self.library / "a").write_text("first\n")

    def check_failure(
        self,
        *arguments: str,
        says: str,
        prefix: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        """Check that the start fails with one clear line."""
        ended = subprocess.run(
            [*prefix, sys.executable, "-m", "twisted", "quotes", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(ended.stdout, "")
        self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
        self.assertIn(says, ended.stderr)
        self.assertGreater(ended.returncode, 0)

    def test_a_bad_option_stops_the_start(self) -> None:
        """Each option that is wrong is named in one line."""
        for option, value in (
            ("--timeout", "0"),
            ("--timeout", "nan"),
            ("--max-running", "0"),
            ("--max-waiting", "-1"),
            ("--max-connections", "many"),
            ("--drain-delay", "-1"),
            ("--drain-timeout", "soon"),
            ("--nonsense", "1"),
        ):
            self.check_failure(option, value, says=option.lstrip("-"))
        self.check_failure("nonsense", says="arguments")
        self.check_failure(says="TWISTED_QUOTES_TIMEOUT", TWISTED_QUOTES_TIMEOUT="x")

    def test_a_misspelt_variable_stops_the_start(self) -> None:
        """Also one that is like the name of a variable of the service's own."""
        for name in ("WORKER", "SERVICE", "MAX_RUNING"):
            variable = f"TWISTED_QUOTES_{name}"
            self.check_failure(says=variable, prefix=(), **{variable: "2"})

    def test_off_a_terminal_the_log_is_a_json_object_a_line(self) -> None:
        """By default, and where JSON is asked for; of the workers, too."""
        for options in ((), ("--log-format=json",)):
            with subprocess.Popen(
                [
                    *(sys.executable, "-m", "twisted", *options, "quotes"),
                    *(f"--dictionaries={self.library}", "--workers=2"),
                    "--listen=tcp:0:interface=127.0.0.1",
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            ) as process:
                self.addCleanup(process.kill)
                assert process.stdout is not None
                events = []
                for line in process.stdout:
                    events.append(json.loads(line))
                    found = re.search(r"http://([\d.]+):(\d+)", events[-1]["message"])
                    if found:
                        address = (found[1], int(found[2]))
                        with HTTPConnection(address) as client:
                            self.assertEqual(
                                client.send_get("/x").read_response().status, 404
                            )
                        process.terminate()
            [refused] = [each for each in events if each.get("code") == 404]
            self.assertEqual((refused["method"], refused["uri"]), ("GET", "/x"))
            for event in events:
                self.assertLessEqual(
                    {"time", "level", "logger", "message"}, set(event), event
                )
                self.assertFalse(
                    [each for each in event.values() if isinstance(each, dict | list)]
                )

    def test_what_cannot_be_listened_on_stops_the_start(self) -> None:
        """A port in use, and what is no endpoint, are named in one line."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            endpoint = f"tcp:{port}:interface=127.0.0.1"
            self.check_failure("--listen", endpoint, says=str(port))
            self.check_failure(
                "--listen",
                "tcp:0:interface=127.0.0.1",
                "--listen",
                endpoint,
                says=str(port),
            )
        self.check_failure("--listen", "carrier-pigeon:1", says="carrier-pigeon")

    def test_a_library_that_cannot_be_served_stops_the_start(self) -> None:
        """A missing, empty or unreadable library is named in one line."""
        missing = str(self.folder / "missing")
        self.check_failure("--dictionaries", missing, says=missing)
        empty = self.folder / "empty"
        empty.mkdir()
        self.check_failure("--dictionaries", str(empty), says=str(empty))
        self.library.chmod(0)
        self.addCleanup(self.library.chmod, 0o755)
        self.check_failure(
            "--dictionaries",
            str(self.library),
            says="Permission",
            prefix=UNPRIVILEGED_PREFIX,
        )

    def test_a_missing_default_dictionary_stops_the_start(self) -> None:
        """A default dictionary that is not there is named in one line."""
        library = f"--dictionaries={self.library}"
        self.check_failure(library, "--default-dictionary=c", says='"c"')
        self.check_failure(library, "--default-dictionary=../library/a", says="default")

    def test_a_missing_grep_stops_the_start(self) -> None:
        """A PATH without grep is told in one line."""
        self.check_failure(says="grep", PATH=str(self.folder))

    def test_an_access_log_that_cannot_be_written_stops_the_start(self) -> None:
        """An access log in a folder that is not there is told in one line."""
        log = str(self.folder / "missing" / "access.log")
        self.check_failure("--access-log", log, says=log)

    def test_callers_that_cannot_be_checked_stop_the_start(self) -> None:
        """What is no checker, and what cannot be read, are told in one line."""
        missing = self.folder / "missing"
        self.check_failure("--auth", f"file:{missing}", says=str(missing))
        self.check_failure("--auth", f"file:{self.folder}", says="regular file")
        self.check_failure("--auth", "nonsense:1", says="nonsense")
        self.check_failure("--auth", "memory:alice:secret", says="file:")
        self.check_failure(says="TWISTED_QUOTES_AUTH", TWISTED_QUOTES_AUTH="nonsense")
        locked = self.folder / "locked"
        locked.write_text("alice:secret\n")
        locked.chmod(0)
        self.check_failure(
            "--auth", f"file:{locked}", says="Permission", prefix=UNPRIVILEGED_PREFIX
        )

    def test_options_come_from_the_environment_too(self) -> None:
        """An option on the command line beats the same one in the environment."""
        environment = {
            "TWISTED_QUOTES_DICTIONARIES": str(self.library),
            "TWISTED_QUOTES_DEFAULT_DICTIONARY": "b",
        }
        with running_server(environment=environment) as server:
            self.assertEqual(server.query_results(action="all"), ["second"])
        with running_server(
            "--default-dictionary=a", environment=environment
        ) as server:
            self.assertEqual(server.query_results(action="all"), ["first"])

    def test_the_first_dictionary_by_name_is_the_default(self) -> None:
        """Without a default dictionary it is the first."""
        with running_server(f"--dictionaries={self.library}") as server:
            self.assertEqual(server.query_results(action="all"), ["first"])

    def test_several_endpoints_are_served_and_logged(self) -> None:
        """Each listener logs its real address, and answers there."""
        path = str(self.folder / "socket")
        with running_server(
            f"--dictionaries={self.library}",
            f"--listen=unix:{path}",
            "--listen=tcp:0:interface=127.0.0.1",
        ) as server:
            server.wait_for_log_line(f"Listening on unix:{path}")
            self.assertEqual(server.query_results(action="all"), ["first"])
            with HTTPConnection(path) as connection:
                answer = connection.send_query({"action": "all"}).read_response().json()
                self.assertEqual(answer["results"], ["first"])

    def test_on_loopback_alone_other_hosts_are_refused(self) -> None:
        """Unless they are named, or it can be reached otherwise."""
        library = f"--dictionaries={self.library}"
        evil = b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"
        path = str(self.folder / "socket")
        for options, code in (
            ((), 400),
            (("--host=quotes.example",), 400),
            (("--host=quotes.example", "--host=evil.example"), 200),
            (("--host=*",), 200),
            ((f"--listen=unix:{path}", "--listen=tcp:0:interface=127.0.0.1"), 200),
        ):
            with running_server(library, *options) as server:
                with server.connect() as client:
                    self.assertEqual(
                        client.send(evil).read_response().status, code, options
                    )
                self.assertEqual(server.get("/livez").status, 200)

    def test_a_unix_socket_that_a_killed_service_left_is_taken_over(self) -> None:
        """Even where its process id is used again; one that is used is refused."""
        path, lock = self.folder / "socket", self.folder / "socket.lock"
        listen = f"--listen=unix:{path}"
        for workers in (1, 2):
            for signal in (SIGKILL, SIGTERM):
                with running_server(
                    f"--dictionaries={self.library}", listen, workers=workers
                ) as server:
                    with HTTPConnection(str(path)) as connection:
                        answer = connection.send_query(
                            {"action": "all"}
                        ).read_response()
                    self.assertEqual(answer.json()["results"], ["first"])
                    self.check_failure(listen, says="Cannot acquire lock")
                    pids = server.all_child_pids()
                    server.send_signal(signal)
                    server.wait_for_exit()
                    for pid in pids:
                        wait_until(partial(has_exited, pid), "none left")
                if signal == SIGKILL:
                    lock.unlink()
                    lock.symlink_to(str(os.getpid()))
        self.assertFalse(path.exists() or lock.is_symlink())

    def test_a_proxy_that_knows_no_client_is_served(self) -> None:
        """As the PROXY protocol says: its own address stands for the client's."""
        log = self.folder / "access.log"
        with running_server(
            f"--dictionaries={self.library}",
            f"--access-log={log}",
            listen="haproxy:tcp:0:interface=127.0.0.1",
        ) as server:
            for header in (b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"):
                with server.connect() as client:
                    client.socket.sendall(header)
                    client.send_get("/livez")
                    self.assertEqual(client.read_response().status, 200)
        for line in log.read_text().splitlines():
            self.assertTrue(line.startswith("127.0.0.1 - "), line)

    def test_it_runs_on_another_reactor(self) -> None:
        """C{--reactor=asyncio} is taken, and answers and ends as well."""
        with running_server(
            f"--dictionaries={self.library}", twist_options=("--reactor=asyncio",)
        ) as server:
            with server.connect() as wait:
                wait.send_get("/wait?seconds=1")
                server.wait_for_search_pids(1)
                server.send_signal()
                self.assertEqual(wait.read_response().json(), {"waited": 1})
            server.wait_for_exit()

    def test_the_access_log_has_combined_format(self) -> None:
        """Each request has one line, with the referrer and the user agent."""
        log = self.folder / "access.log"
        with running_server(
            f"--dictionaries={self.library}", f"--access-log={log}"
        ) as server:
            server.get("/", "User-Agent: agent", "Referer: page")
            server.get("/nothing")
        first, second = log.read_text().splitlines()
        self.assertRegex(
            first,
            r'^127\.0\.0\.1 - - \[.+\] "GET / HTTP/1\.1" 200 \d+ "page" "agent"$',
        )
        self.assertIn('"GET /nothing HTTP/1.1" 404', second)

"""
Tests of the start of the real process.
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
from .server import ROOT, UNPRIVILEGED_PREFIX, has_exited, wait_until


class StartTests(LibraryTestCase):
    """Tests of options, and of errors that stop the start."""

    dictionaries = {"b": "second\n", "a": "first\n"}

    def check_failure(
        self,
        *arguments: str,
        error: str,
        prefix: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        """Check that the start fails with one line of output."""
        completed = subprocess.run(
            [*prefix, sys.executable, "-m", "twisted", "quotes", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(completed.stdout, "")
        self.assertEqual(len(completed.stderr.splitlines()), 1, completed.stderr)
        self.assertIn(error, completed.stderr)
        self.assertGreater(completed.returncode, 0)

    def test_an_invalid_option_stops_the_start(self) -> None:
        """The message has its name."""
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
            self.check_failure(option, value, error=option.lstrip("-"))
        self.check_failure("nonsense", error="'nonsense' is not an option")

    def test_a_malformed_hash_stops_the_start(self) -> None:
        """The message has the number of its line."""
        passwords = self.folder / "passwords"
        passwords.write_text("alice:secret\nbob:$argon2id$v=19$x\n")
        for workers in ("1", "2"):
            self.check_failure(
                f"--workers={workers}", f"--auth=file:{passwords}", error="line 2"
            )
        self.check_failure(error="TWISTED_QUOTES_TIMEOUT", TWISTED_QUOTES_TIMEOUT="x")

    def test_an_unknown_variable_stops_the_start(self) -> None:
        """Its name may be similar to a variable of a worker."""
        for name in ("WORKER", "SERVICE", "MAX_RUNING"):
            variable = f"TWISTED_QUOTES_{name}"
            self.check_failure(error=variable, prefix=(), **{variable: "2"})

    def test_without_a_terminal_the_log_is_json(self) -> None:
        """Each line is an object; this includes the lines of workers."""
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
                    match = re.search(r"http://([\d.]+):(\d+)", events[-1]["message"])
                    if match:
                        address = (match[1], int(match[2]))
                        with HTTPConnection(address) as client:
                            self.assertEqual(
                                client.send_get("/x").read_response().status, 404
                            )
                        process.terminate()
            [event] = [each for each in events if each.get("code") == 404]
            self.assertEqual((event["method"], event["uri"]), ("GET", "/x"))
            for event in events:
                self.assertLessEqual({"time", "level", "logger", "message"}, set(event))
                nested = [x for x in event.values() if isinstance(x, dict | list)]
                self.assertFalse(nested, event)

    def test_an_invalid_endpoint_stops_the_start(self) -> None:
        """A port that is in use stops the start too."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            endpoint = f"tcp:{port}:interface=127.0.0.1"
            self.check_failure("--listen", endpoint, error=str(port))
            other = "--listen=tcp:0:interface=127.0.0.1"
            self.check_failure(other, "--listen", endpoint, error=str(port))
        self.check_failure("--listen", "carrier-pigeon:1", error="carrier-pigeon")

    def test_an_invalid_library_stops_the_start(self) -> None:
        """The folder is missing, empty or unreadable."""
        missing = str(self.folder / "missing")
        self.check_failure("--dictionaries", missing, error=missing)
        empty = self.folder / "empty"
        empty.mkdir()
        self.check_failure("--dictionaries", str(empty), error=str(empty))
        self.library.chmod(0)
        self.addCleanup(self.library.chmod, 0o755)
        option = f"--dictionaries={self.library}"
        self.check_failure(option, error="Permission", prefix=UNPRIVILEGED_PREFIX)

    def test_a_missing_default_dictionary_stops_the_start(self) -> None:
        library = f"--dictionaries={self.library}"
        self.check_failure(library, "--default-dictionary=c", error='"c"')
        self.check_failure(
            library, "--default-dictionary=../library/a", error="default"
        )

    def test_a_missing_grep_or_folder_stops_the_start(self) -> None:
        """The folder is that of the access log."""
        self.check_failure(error="grep", PATH=str(self.folder))
        log = str(self.folder / "missing" / "access.log")
        self.check_failure("--access-log", log, error=log)

    def test_an_invalid_authentication_stops_the_start(self) -> None:
        """The checker is unknown, or its file cannot be read."""
        missing = self.folder / "missing"
        self.check_failure("--auth", f"file:{missing}", error=str(missing))
        self.check_failure("--auth", f"file:{self.folder}", error="regular file")
        self.check_failure("--auth", "nonsense:1", error="nonsense")
        self.check_failure("--auth", "memory:alice:secret", error="file:")
        self.check_failure(error="TWISTED_QUOTES_AUTH", TWISTED_QUOTES_AUTH="nonsense")
        locked = self.folder / "locked"
        locked.write_text("alice:secret\n")
        locked.chmod(0)
        self.check_failure(
            "--auth", f"file:{locked}", error="Permission", prefix=UNPRIVILEGED_PREFIX
        )

    def test_options_can_be_set_in_the_environment(self) -> None:
        """The command line has priority."""
        environment = {
            "TWISTED_QUOTES_DICTIONARIES": str(self.library),
            "TWISTED_QUOTES_DEFAULT_DICTIONARY": "b",
        }
        server = self.serve(environment=environment)
        self.assertEqual(server.query_results(action="all"), ["second"])
        server = self.serve("--default-dictionary=a", environment=environment)
        self.assertEqual(server.query_results(action="all"), ["first"])

    def test_several_endpoints_are_served_and_logged(self) -> None:
        """The log shows the actual addresses."""
        path = str(self.folder / "socket")
        server = self.serve(
            f"--listen=unix:{path}", "--listen=tcp:0:interface=127.0.0.1"
        )
        server.wait_for_log_line(f"Listening on unix:{path}")
        # Without a default dictionary, it is the first one by name.
        self.assertEqual(server.query_results(action="all"), ["first"])
        with HTTPConnection(path) as connection:
            response = connection.send_query({"action": "all"}).read_response().json()
            self.assertEqual(response["results"], ["first"])

    def test_on_loopback_other_hosts_are_rejected(self) -> None:
        """Unless they are allowed, or there is another endpoint."""
        evil = b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"
        path = str(self.folder / "socket")
        for options, code in (
            ((), 400),
            (("--host=quotes.example",), 400),
            (("--host=quotes.example", "--host=evil.example"), 200),
            (("--host=*",), 200),
            ((f"--listen=unix:{path}", "--listen=tcp:0:interface=127.0.0.1"), 200),
        ):
            server = self.serve(*options)
            with server.connect() as client:
                self.assertEqual(
                    client.send(evil).read_response().status, code, options
                )
            self.assertEqual(server.get("/livez").status, 200)

    def test_a_stale_unix_socket_is_replaced(self) -> None:
        """
        It is replaced even if another process has the id of the killed service. A
        socket in use is an error.
        """
        path, lock = self.folder / "socket", self.folder / "socket.lock"
        listen = f"--listen=unix:{path}"
        for workers in (1, 2):
            for signal in (SIGKILL, SIGTERM):
                server = self.serve(listen, workers=workers)
                with HTTPConnection(str(path)) as connection:
                    response = connection.send_query({"action": "all"}).read_response()
                self.assertEqual(response.json()["results"], ["first"])
                self.check_failure(listen, error="another process listens on it")
                pids = server.all_child_pids()
                server.send_signal(signal)
                server.wait_for_exit()
                for pid in pids:
                    wait_until(partial(has_exited, pid), "the end of all processes")
                if signal == SIGKILL:
                    lock.unlink()
                    lock.symlink_to(str(os.getpid()))
        self.assertFalse(path.exists() or lock.is_symlink())

    def test_a_proxy_header_without_an_address_is_accepted(self) -> None:
        """The address of the proxy is used, as its protocol says."""
        log = self.folder / "access.log"
        server = self.serve(
            f"--access-log={log}", listen="haproxy:tcp:0:interface=127.0.0.1"
        )
        for header in (b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"):
            with server.connect() as client:
                client.socket.sendall(header)
                client.send_get("/livez")
                self.assertEqual(client.read_response().status, 200)
        for line in log.read_text().splitlines():
            self.assertTrue(line.startswith("127.0.0.1 - "), line)

    def test_the_asyncio_reactor_works(self) -> None:
        gated, server = self.serve_gated(twist_options=("--reactor=asyncio",))
        with server.connect() as wait:
            wait.send_get("/wait?seconds=0")
            server.wait_for_search_pids(1)
            server.send_signal()
            server.wait_until_ports_closed()
            gated.open_gate()
            self.assertEqual(wait.read_response().json(), {"waited": 0})
        server.wait_for_exit()

    def test_the_access_log_has_combined_format(self) -> None:
        """It includes the referrer and the user agent."""
        log = self.folder / "access.log"
        server = self.serve(f"--access-log={log}")
        server.get("/", "User-Agent: agent", "Referer: page")
        server.get("/nothing")
        first, second = log.read_text().splitlines()
        self.assertRegex(
            first,
            r'^127\.0\.0\.1 - - \[.+\] "GET / HTTP/1\.1" 200 \d+ "page" "agent"$',
        )
        self.assertIn('"GET /nothing HTTP/1.1" 404', second)

"""
Tests of the options.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.plugins.cred_file import FileCheckerFactory
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes import __version__
from twisted_quotes.options import MAX_WORKERS, QuotesOptions
from twisted_quotes.web.ingress.trusted_proxies import TrustedProxies

DEFAULTS: Mapping[str, Any] = {
    "listen": ["tcp:8000:interface=127.0.0.1"],
    "auth": [],
    "host": [],
    "dictionaries": None,
    "default-dictionary": None,
    "cache-dir": None,
    "cache-bytes": 64 * 1024 * 1024,
    "index-at-start": True,
    "search-together": True,
    "workers": 1,
    "timeout": 10.0,
    "max-running": None,
    "max-waiting": 1000,
    "max-connections": 4000,
    "max-unsent-bytes": 256 * 1024 * 1024,
    "request-timeout": 10.0,
    "send-timeout": 60.0,
    "idle-timeout": 60.0,
    "drain-delay": 0.0,
    "drain-timeout": 30.0,
    "access-log": None,
    "quotable": False,
    "trusted-proxies": TrustedProxies(),
    "base-path": "",
    "cors-origin": [],
}

# Of each option: a text, and the value that it is parsed to.
VALID_OPTIONS = {
    "dictionaries": ("some/folder", "some/folder"),
    "default-dictionary": ("pets/cats", "pets/cats"),
    "cache-dir": ("some/cache", "some/cache"),
    "cache-bytes": ("0", 0),
    "index-at-start": ("no", False),
    "search-together": ("no", False),
    "workers": ("3", 3),
    "timeout": ("0.5", 0.5),
    "max-running": ("3", 3),
    "max-waiting": ("0", 0),
    "max-connections": ("1", 1),
    "max-unsent-bytes": ("1", 1),
    "request-timeout": ("5", 5.0),
    "send-timeout": ("5", 5.0),
    "idle-timeout": ("5", 5.0),
    "drain-delay": ("2.5", 2.5),
    "drain-timeout": ("7", 7.0),
    "access-log": ("access.log", "access.log"),
    "trusted-proxies": (
        "10.0.0.0/8, ::1 unix",
        TrustedProxies((ip_network("10.0.0.0/8"), ip_network("::1")), True),
    ),
    "base-path": ("/below/a.path/", "/below/a.path"),
}

TEXT_RULE = "a text that is not empty"
TIME_RULE = "a number, 0.001 to 1000000000"
DRAIN_RULE = "a number, 0 to 1000000000"
# Of each option: the description of its values, and texts that are none.
INVALID_OPTIONS = {
    "dictionaries": (TEXT_RULE, [""]),
    "default-dictionary": (TEXT_RULE, [""]),
    "cache-dir": (TEXT_RULE, [""]),
    "cache-bytes": ("a whole number, 0 or more", ["-1", "1.5", "1M"]),
    "search-together": ("yes or no", ["", "maybe", "1", "true"]),
    "workers": (
        f"a whole number, 1 to {MAX_WORKERS}, or auto",
        ["", "0", "-1", "1.5", "all", f"{MAX_WORKERS + 1}", "100000"],
    ),
    "timeout": (
        TIME_RULE,
        ["", "x", "0", "-1", "nan", "inf", "1e10", "1e999", "1s", "1_0"],
    ),
    "max-running": (
        "a whole number, 1 or more",
        ["", "x", "0", "-1", "1.5", "1e3", "0x5", "1_0", "\u0661"],
    ),
    "max-waiting": ("a whole number, 0 or more", ["", "x", "-1", "0.0"]),
    "max-connections": ("a whole number, 1 or more", ["", "x", "0"]),
    "max-unsent-bytes": ("a whole number, 1 or more", ["", "x", "0"]),
    "request-timeout": (TIME_RULE, ["", "0", "-1"]),
    "send-timeout": (TIME_RULE, ["", "0", "nan"]),
    "idle-timeout": (TIME_RULE, ["", "0", "x"]),
    "drain-delay": (DRAIN_RULE, ["", "x", "-0.1", "nan"]),
    "drain-timeout": (DRAIN_RULE, ["", "x", "-1", "inf", "1e10"]),
    "access-log": (TEXT_RULE, [""]),
    "trusted-proxies": (
        "none, or addresses, networks such as 10.0.0.0/8, and unix",
        ["", " ,", "localhost", "10.0.0.1/8", "10.0.0.0/33", "unix:", "none unix"],
    ),
    "base-path": (
        "a path of letters, digits and -._~ such as /quotes",
        ["", "quotes", "//a", "/a//b", "/..", "/a/./b", "/a b", "/a?", "/\xe9"],
    ),
}


def parse_options(*arguments: str, **environment: str) -> dict[str, Any]:
    """Parse a command line and an environment."""
    options = QuotesOptions(environment)
    options.parseOptions(arguments)
    return dict(options)


def variable_name(option: str) -> str:
    """Return the environment variable of an option."""
    return "TWISTED_QUOTES_" + option.replace("-", "_").upper()


class ValidOptionsTests(SynchronousTestCase):
    """Tests of options that are valid."""

    def test_each_option_has_a_default(self) -> None:
        self.assertEqual(parse_options(), DEFAULTS)

    def test_each_option(self) -> None:
        """On the command line, which overrides the environment, or as its variable."""
        for name, (text, value) in VALID_OPTIONS.items():
            expected = {**DEFAULTS, name: value}
            variable = variable_name(name)
            self.assertEqual(parse_options(f"--{name}", text), expected)
            self.assertEqual(parse_options(**{variable: text}), expected)
            found = parse_options(f"--{name}", text, **{variable: ""})
            self.assertEqual(found, expected)

    def test_all_at_once(self) -> None:
        """The options are independent."""
        arguments = [f"--{name}={text}" for name, (text, _) in VALID_OPTIONS.items()]
        values = {name: value for name, (_, value) in VALID_OPTIONS.items()}
        self.assertEqual(parse_options(*arguments), {**DEFAULTS, **values})

    def test_workers_can_be_one_per_core(self) -> None:
        """That this process may use. A few more are allowed, too."""
        cores = len(os.sched_getaffinity(0))
        self.assertEqual(MAX_WORKERS, max(32, 4 * cores))
        self.assertEqual(parse_options("--workers=auto")["workers"], cores)

    def test_variables_without_the_prefix_are_ignored(self) -> None:
        """Also if the rest is an option."""
        self.assertEqual(parse_options(TIMEOUT="1", TWISTED_QUOTESX="1"), DEFAULTS)

    def test_variables_of_kubernetes_are_ignored(self) -> None:
        """A pod has them for a service named twisted-quotes."""
        parse_options(
            TWISTED_QUOTES_SERVICE_HOST="10.0.0.1",
            TWISTED_QUOTES_SERVICE_PORT="80",
            TWISTED_QUOTES_SERVICE_PORT_HTTP="80",
            TWISTED_QUOTES_PORT="tcp://10.0.0.1:80",
            TWISTED_QUOTES_PORT_80_TCP="tcp://10.0.0.1:80",
            TWISTED_QUOTES_PORT_80_TCP_ADDR="10.0.0.1",
        )

    def test_a_variable_of_no_option_is_an_error(self) -> None:
        """The message suggests the nearest option, if one is similar."""
        with self.assertRaises(UsageError):
            parse_options(TWISTED_QUOTES_LISTENS="tcp://10.0.0.1:80")
        for name, nearest in (
            ("TWISTED_QUOTES_WORKER", "TWISTED_QUOTES_WORKERS"),
            ("TWISTED_QUOTES_MAX_RUNING", "TWISTED_QUOTES_MAX_RUNNING"),
            ("TWISTED_QUOTES_DICTIONARY", "TWISTED_QUOTES_DICTIONARIES"),
            ("TWISTED_QUOTES_LISTENS", "TWISTED_QUOTES_LISTEN"),
            ("TWISTED_QUOTES_timeout", "TWISTED_QUOTES_TIMEOUT"),
            ("TWISTED_QUOTES_PORT", None),
            ("TWISTED_QUOTES_", None),
        ):
            with self.assertRaises(UsageError) as raised:
                parse_options(**{name: "2"})
            message = str(raised.exception)
            self.assertTrue(message.startswith(f"{name} is set"), message)
            hint = f"; did you mean {nearest}?" if nearest else "no such option"
            self.assertTrue(message.endswith(hint), message)

    def test_the_default_environment_is_that_of_the_process(self) -> None:
        """For C{twist}, which passes none."""
        os.environ["TWISTED_QUOTES_TIMEOUT"] = "0.25"
        self.addCleanup(os.environ.pop, "TWISTED_QUOTES_TIMEOUT")
        options = QuotesOptions()
        options.parseOptions([])
        self.assertEqual(options["timeout"], 0.25)


class FlagTests(SynchronousTestCase):
    """Tests of C{--quotable}."""

    def test_a_flag_is_set_on_the_command_line_or_in_the_environment(self) -> None:
        expected = {**DEFAULTS, "quotable": True}
        self.assertEqual(parse_options("--quotable"), expected)
        self.assertEqual(parse_options(TWISTED_QUOTES_QUOTABLE="yes"), expected)
        self.assertEqual(parse_options(TWISTED_QUOTES_QUOTABLE="no"), DEFAULTS)
        found = parse_options("--quotable", TWISTED_QUOTES_QUOTABLE="no")
        self.assertEqual(found, expected)

    def test_a_flag_has_no_value(self) -> None:
        """In the environment it is yes or no."""
        self.assertRaises(UsageError, parse_options, "--quotable=yes")
        for text in ("", "1", "true", "quotable"):
            with self.assertRaises(UsageError) as raised:
                parse_options(TWISTED_QUOTES_QUOTABLE=text)
            message = f"TWISTED_QUOTES_QUOTABLE must be yes or no, not {text!r}"
            self.assertEqual(str(raised.exception), message)


class RepeatableOptionsTests(SynchronousTestCase):
    """Tests of C{--listen} and C{--host}."""

    def test_several_values(self) -> None:
        """On the command line, which overrides the environment, in their order."""
        for option in ("listen", "host"):
            for environment in ({}, {variable_name(option): "c"}):
                found = parse_options(
                    f"--{option}", "b", f"--{option}=a", **environment
                )
                self.assertEqual(found, {**DEFAULTS, option: ["b", "a"]})

    def test_several_values_in_the_environment(self) -> None:
        """Separated by blanks."""
        for option in ("listen", "host"):
            found = parse_options(**{variable_name(option): " a  b "})
            self.assertEqual(found, {**DEFAULTS, option: ["a", "b"]})

    def test_a_host_is_a_name_or_an_address(self) -> None:
        for host in ("*", "a.example", "localhost:80", "::1", "[::1]:80", "127.0.0.1"):
            self.assertEqual(parse_options("--host", host)["host"], [host])
        for host in ("http://a.example", "a.example/", "", "a b", "a:port", "\udcff"):
            with self.assertRaises(UsageError) as raised:
                parse_options("--host", host)
            self.assertIn("--host must be a host name", str(raised.exception))
            self.assertIn(repr(host), str(raised.exception))
        with self.assertRaises(UsageError) as raised:
            parse_options(**{variable_name("host"): "a http://b"})
        self.assertIn(f"{variable_name('host')} must be", str(raised.exception))

    def test_an_origin_has_a_scheme_and_a_host(self) -> None:
        """It is kept in the form in which browsers send it."""
        variable = variable_name("cors-origin")
        for found in (
            parse_options("--cors-origin=*", "--cors-origin", "HTTPS://a.Example:443"),
            parse_options(**{variable: "* https://a.example"}),
        ):
            self.assertEqual(
                found, {**DEFAULTS, "cors-origin": ["*", "https://a.example"]}
            )
        for origin in ("null", "a.example", "https://a.example/", ""):
            with self.assertRaises(UsageError) as raised:
                parse_options("--cors-origin", origin)
            self.assertEqual(
                str(raised.exception),
                "--cors-origin must be an origin, such as https://www.example.org, or "
                f"*, not {origin!r}",
            )
        with self.assertRaises(UsageError) as raised:
            parse_options(**{variable: "https://a b"})
        self.assertIn(f"{variable} must be", str(raised.exception))

    def test_a_blank_variable_has_no_values(self) -> None:
        """The default applies."""
        for option in ("listen", "host", "auth", "cors-origin"):
            found = parse_options(**{variable_name(option): " "})
            self.assertEqual(found, DEFAULTS)

    def test_values_are_not_kept_for_the_next_parse(self) -> None:
        """The lists are not shared."""
        parse_options("--listen", "tcp:0")
        self.assertEqual(parse_options(), DEFAULTS)


class AuthTests(SynchronousTestCase):
    """Tests of C{--auth}."""

    def setUp(self) -> None:
        """Write two password files."""
        self.temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.files = []
        for name in ("one", "two"):
            (self.temporary_folder / name).write_text(f"{name}:secret\n")
            self.files.append(f"file:{self.temporary_folder / name}")

    def assert_checkers(self, options: dict[str, Any], *descriptions: str) -> None:
        """Check that the checkers are those of the descriptions, in their order."""
        self.assertEqual(options["auth"], list(descriptions))
        paths = [f"file:{each.filename}" for each in options["credCheckers"]]
        self.assertEqual(paths, list(descriptions))
        self.assertEqual(
            options["credInterfaces"], {IUsernamePassword: options["credCheckers"]}
        )

    def test_one_checker(self) -> None:
        """No other option changes."""
        options = parse_options("--auth", self.files[0])
        self.assert_checkers(options, self.files[0])
        for name in ("auth", "credCheckers", "credInterfaces"):
            del options[name]
        self.assertEqual({**options, "auth": []}, DEFAULTS)

    def test_several_checkers(self) -> None:
        """In their order, on the command line, which overrides the environment."""
        one, two = self.files
        for arguments, variable in (
            ([], f" {one}  {two} "),
            ([f"--auth={one}", "--auth", two], "nonsense:"),
        ):
            options = parse_options(*arguments, TWISTED_QUOTES_AUTH=variable)
            self.assert_checkers(options, one, two)

    def test_checkers_are_not_kept_for_the_next_parse(self) -> None:
        """The lists are not shared."""
        parse_options("--auth", self.files[0])
        self.assertEqual(parse_options(), DEFAULTS)

    def test_a_checker_that_cannot_be_used_is_an_error(self) -> None:
        """The message is one line with the option or variable, and the reason."""
        missing = str(self.temporary_folder / "missing")
        for description, words in (
            ("nonsense:1", ["nonsense", "use file:PATH"]),
            ("non\nsense", ["non sense"]),
            ("", ["not recognized", "use file:PATH"]),
            ("file", ["it needs a path, as file:PATH"]),
            ("file:", ["it needs a path, as file:PATH"]),
            ("file: ", ["' '"]),
            (f"file:{missing}", [missing, os.strerror(2)]),
            (
                f"file:{self.temporary_folder}",
                [str(self.temporary_folder), "not a regular file"],
            ),
            ("anonymous", ["IAnonymous"]),
            ("memory:alice:hunter2", ["accepts no client", "use file:PATH"]),
        ):
            line = self.error_message("--auth", description)
            kind = description.partition(":")[0]
            self.assertTrue(line.startswith(f"--auth {kind!r} cannot be used: "), line)
            for word in words:
                self.assertIn(word, line)
            self.assertNotIn("hunter2", line)
        line = self.error_message(TWISTED_QUOTES_AUTH=f"{self.files[0]} file:{missing}")
        start = "TWISTED_QUOTES_AUTH 'file' cannot be used: "
        self.assertTrue(line.startswith(start), line)

    def test_a_malformed_hash_is_an_error_that_names_its_line(self) -> None:
        """The message has nothing of the line."""
        path = self.temporary_folder / "hashed"
        path.write_text("alice:secret\nbob:$argon2id$v=19$hunter2\n")
        line = self.error_message(f"--auth=file:{path}")
        for word in ("--auth 'file'", str(path), "line 2", "argon2id"):
            self.assertIn(word, line)
        for word in ("bob", "hunter2", "alice", "secret"):
            self.assertNotIn(word, line)

    def error_message(self, *arguments: str, **environment: str) -> str:
        """Return the error of these options, a line that is printed nowhere else."""
        printed = StringIO()
        self.patch(FileCheckerFactory, "errorOutput", printed)
        error = self.assertRaises(UsageError, parse_options, *arguments, **environment)
        self.assertEqual(printed.getvalue(), "")
        self.assertEqual(len(str(error).splitlines()), 1, error)
        return str(error)

    def test_a_pipe_does_not_block(self) -> None:
        """Only a regular file is opened."""
        os.mkfifo(self.temporary_folder / "pipe")
        self.assertIn(
            "not a regular file",
            self.error_message(f"--auth=file:{self.temporary_folder}/pipe"),
        )

    def test_help_describes_the_checkers(self) -> None:
        """Of each kind, or of one kind."""
        for arguments, words in (
            (["--help-auth"], ["file", "ArgString", "--help-auth-type"]),
            (["--help-auth-type=file"], ["username:password"]),
        ):
            options = QuotesOptions({})
            options.authOutput = StringIO()
            error = self.assertRaises(SystemExit, options.parseOptions, arguments)
            self.assertEqual(error.code, 0)
            for word in words:
                self.assertIn(word, options.authOutput.getvalue())
        self.assertIn("nonsense", self.error_message("--help-auth-type=nonsense"))


class InvalidOptionsTests(SynchronousTestCase):
    """Tests of options that are not valid."""

    def error_message(self, *arguments: str, **environment: str) -> str:
        """Return the error of these options."""
        return str(
            self.assertRaises(UsageError, parse_options, *arguments, **environment)
        )

    def test_each_option(self) -> None:
        """The message has the option or variable, the allowed values, and the text."""
        for name, (allowed, texts) in INVALID_OPTIONS.items():
            for text in texts:
                error = f"must be {allowed}, not {text!r}"
                variable = variable_name(name)
                message = self.error_message(f"--{name}={text}")
                self.assertEqual(message, f"--{name} {error}")
                message = self.error_message(**{variable: text})
                self.assertEqual(message, f"{variable} {error}")

    def test_a_number_too_large_for_a_float(self) -> None:
        """Of any option with a number."""
        for name in ("max-running", "max-waiting", "max-connections"):
            self.assertTrue(
                self.error_message(f"--{name}", "9" * 400).startswith(
                    f"--{name} must be a"
                )
            )

    def test_a_drain_delay_longer_than_the_drain_timeout(self) -> None:
        """The timeout includes the delay."""
        self.assertEqual(
            self.error_message("--drain-delay=31"),
            "--drain-delay must not be longer than --drain-timeout",
        )
        self.assertEqual(
            parse_options("--drain-delay=30"), {**DEFAULTS, "drain-delay": 30.0}
        )

    def test_other_arguments(self) -> None:
        """An unknown option, one without its value, and an argument that is none."""
        self.assertIn(
            "--dictionary-folder", self.error_message("--dictionary-folder=x")
        )
        self.assertIn("--timeout", self.error_message("--timeout"))
        self.error_message("authors")


class HelpTests(SynchronousTestCase):
    """Tests of C{--help} and C{--version}."""

    def test_help_names_every_option(self) -> None:
        """With its default, and an example of a variable."""
        text = str(QuotesOptions({}))
        for name in DEFAULTS:
            self.assertRegex(text, f"--{name}[= ]")
        words = " ".join(text.split())
        self.assertEqual(words.count("[default: "), len(DEFAULTS))
        self.assertIn("TWISTED_QUOTES_MAX_RUNNING", words)

    def test_version(self) -> None:
        """It is printed, and the program ends."""
        printed = StringIO()
        with redirect_stdout(printed):
            error = self.assertRaises(SystemExit, parse_options, "--version")
        self.assertEqual(error.code, 0)
        self.assertEqual(printed.getvalue(), f"twisted_quotes {__version__}\n")

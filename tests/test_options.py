"""
Tests for L{twisted_quotes.options}.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.plugins.cred_file import FileCheckerFactory
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes import __version__
from twisted_quotes.options import QuotesOptions

DEFAULTS: Mapping[str, Any] = {
    "listen": ["tcp:8000:interface=127.0.0.1"],
    "auth": [],
    "host": [],
    "dictionaries": None,
    "default-dictionary": None,
    "cache-dir": None,
    "cache-bytes": 64 * 1024 * 1024,
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
}

# Of each option: what may be given, and what becomes of it.
VALID_OPTIONS = {
    "dictionaries": ("some/folder", "some/folder"),
    "default-dictionary": ("pets/cats", "pets/cats"),
    "cache-dir": ("some/cache", "some/cache"),
    "cache-bytes": ("0", 0),
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
}

TEXT_RULE = "a text that is not empty"
# Of each option: what is allowed, and what is not that.
INVALID_OPTIONS = {
    "dictionaries": (TEXT_RULE, [""]),
    "default-dictionary": (TEXT_RULE, [""]),
    "cache-dir": (TEXT_RULE, [""]),
    "cache-bytes": ("a whole number, 0 or more", ["-1", "1.5", "1M"]),
    "search-together": ("yes or no", ["", "maybe", "1", "true"]),
    "workers": ("a whole number, 1 or more, or auto", ["", "0", "-1", "1.5", "all"]),
    "timeout": (
        "a number, 0.001 or more",
        ["", "x", "0", "-1", "nan", "inf", "1e999", "1s", "1_0"],
    ),
    "max-running": (
        "a whole number, 1 or more",
        ["", "x", "0", "-1", "1.5", "1e3", "0x5", "1_0", "\u0661"],
    ),
    "max-waiting": ("a whole number, 0 or more", ["", "x", "-1", "0.0"]),
    "max-connections": ("a whole number, 1 or more", ["", "x", "0"]),
    "max-unsent-bytes": ("a whole number, 1 or more", ["", "x", "0"]),
    "request-timeout": ("a number, 0.001 or more", ["", "0", "-1"]),
    "send-timeout": ("a number, 0.001 or more", ["", "0", "nan"]),
    "idle-timeout": ("a number, 0.001 or more", ["", "0", "x"]),
    "drain-delay": ("a number, 0 or more", ["", "x", "-0.1", "nan"]),
    "drain-timeout": ("a number, 0 or more", ["", "x", "-1", "inf"]),
    "access-log": (TEXT_RULE, [""]),
}


def parse_options(*arguments: str, **environment: str) -> dict[str, Any]:
    """All the options as they are after parsing."""
    options = QuotesOptions(environment)
    options.parseOptions(arguments)
    return dict(options)


def variable_name(option: str) -> str:
    """The environment's name of an option."""
    return "TWISTED_QUOTES_" + option.replace("-", "_").upper()


class ValidOptionsTests(SynchronousTestCase):
    """Options that are taken."""

    def test_defaults(self) -> None:
        """Nothing has to be given."""
        self.assertEqual(parse_options(), DEFAULTS)

    def test_each_on_the_command_line(self) -> None:
        """Each option is converted, and changes nothing else."""
        for name, (text, value) in VALID_OPTIONS.items():
            self.assertEqual(
                parse_options(f"--{name}", text), {**DEFAULTS, name: value}
            )

    def test_each_in_the_environment(self) -> None:
        """Each option can be given by its variable instead."""
        for name, (text, value) in VALID_OPTIONS.items():
            self.assertEqual(
                parse_options(**{variable_name(name): text}), {**DEFAULTS, name: value}
            )

    def test_all_at_once(self) -> None:
        """The options do not get in each other's way."""
        arguments = [f"--{name}={text}" for name, (text, _) in VALID_OPTIONS.items()]
        values = {name: value for name, (_, value) in VALID_OPTIONS.items()}
        self.assertEqual(parse_options(*arguments), {**DEFAULTS, **values})

    def test_there_can_be_a_worker_for_each_core(self) -> None:
        """That is, for each that this process may use."""
        cores = len(os.sched_getaffinity(0))
        self.assertEqual(parse_options("--workers=auto")["workers"], cores)

    def test_the_command_line_beats_the_environment(self) -> None:
        """What is given there is not even looked at in the environment."""
        for name, (text, value) in VALID_OPTIONS.items():
            self.assertEqual(
                parse_options(f"--{name}", text, **{variable_name(name): ""}),
                {**DEFAULTS, name: value},
            )

    def test_other_variables_are_no_options(self) -> None:
        """Only variables that start with the service's name count."""
        self.assertEqual(parse_options(TIMEOUT="1", TWISTED_QUOTESX="1"), DEFAULTS)

    def test_what_kubernetes_sets_for_a_service_is_no_option(self) -> None:
        """A pod has it for each service that is named like this one."""
        parse_options(
            TWISTED_QUOTES_SERVICE_HOST="10.0.0.1",
            TWISTED_QUOTES_SERVICE_PORT="80",
            TWISTED_QUOTES_SERVICE_PORT_HTTP="80",
            TWISTED_QUOTES_PORT="tcp://10.0.0.1:80",
            TWISTED_QUOTES_PORT_80_TCP="tcp://10.0.0.1:80",
            TWISTED_QUOTES_PORT_80_TCP_ADDR="10.0.0.1",
        )

    def test_a_variable_that_no_option_has_is_refused(self) -> None:
        """The message names it, and the nearest option if one is near."""
        for name, near in (
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
            hint = f"; did you mean {near}?" if near else "no such option"
            self.assertTrue(message.endswith(hint), message)

    def test_the_process_environment_is_read(self) -> None:
        """Where no other is given, the environment is that of the process."""
        os.environ["TWISTED_QUOTES_TIMEOUT"] = "0.25"
        self.addCleanup(os.environ.pop, "TWISTED_QUOTES_TIMEOUT")
        options = QuotesOptions()
        options.parseOptions([])
        self.assertEqual(options["timeout"], 0.25)


class HostTests(SynchronousTestCase):
    """The hosts to be called by."""

    def test_several_can_be_given(self) -> None:
        """On the command line, which beats the environment."""
        names = ["--host", "a.test", "--host=*"]
        for variables in ({}, {"TWISTED_QUOTES_HOST": "c"}):
            found = parse_options(*names, **variables)
            self.assertEqual(found, {**DEFAULTS, "host": ["a.test", "*"]})

    def test_several_can_stand_in_the_environment(self) -> None:
        """Separated by blanks."""
        found = parse_options(TWISTED_QUOTES_HOST=" a.test  b.test ")
        self.assertEqual(found, {**DEFAULTS, "host": ["a.test", "b.test"]})


class ListenTests(SynchronousTestCase):
    """Where to listen."""

    def test_once(self) -> None:
        """An endpoint takes the default's place."""
        self.assertEqual(
            parse_options("--listen", "tcp:0"), {**DEFAULTS, "listen": ["tcp:0"]}
        )

    def test_repeated(self) -> None:
        """Several endpoints are kept in their order."""
        self.assertEqual(
            parse_options("--listen", "tcp:0", "--listen=unix:/run/quotes")["listen"],
            ["tcp:0", "unix:/run/quotes"],
        )

    def test_in_the_environment(self) -> None:
        """There, several are separated by blanks."""
        self.assertEqual(
            parse_options(TWISTED_QUOTES_LISTEN=" tcp:0  unix:/run/quotes ")["listen"],
            ["tcp:0", "unix:/run/quotes"],
        )

    def test_blank_in_the_environment(self) -> None:
        """A variable that holds nothing leaves the default."""
        self.assertEqual(parse_options(TWISTED_QUOTES_LISTEN=" "), DEFAULTS)

    def test_there_can_be_a_worker_for_each_core(self) -> None:
        """That is, for each that this process may use."""
        cores = len(os.sched_getaffinity(0))
        self.assertEqual(parse_options("--workers=auto")["workers"], cores)

    def test_the_command_line_beats_the_environment(self) -> None:
        """The two are not added up."""
        self.assertEqual(
            parse_options("--listen", "tcp:0", TWISTED_QUOTES_LISTEN="tcp:1")["listen"],
            ["tcp:0"],
        )

    def test_every_parse_starts_anew(self) -> None:
        """Endpoints given once are not there the next time."""
        parse_options("--listen", "tcp:0")
        self.assertEqual(parse_options(), DEFAULTS)


class AuthTests(SynchronousTestCase):
    """What callers are checked by."""

    def setUp(self) -> None:
        """Write two password files."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.temporary_folder = Path(temporary_directory.name)
        self.files = []
        for name in ("one", "two"):
            (self.temporary_folder / name).write_text(f"{name}:secret\n")
            self.files.append(f"file:{self.temporary_folder / name}")

    def assert_made(self, options: dict[str, Any], *descriptions: str) -> None:
        """The checkers are those of the descriptions, in their order."""
        self.assertEqual(options["auth"], list(descriptions))
        paths = [f"file:{each.filename}" for each in options["credCheckers"]]
        self.assertEqual(paths, list(descriptions))
        self.assertEqual(
            options["credInterfaces"], {IUsernamePassword: options["credCheckers"]}
        )

    def test_once(self) -> None:
        """One checker is made, and nothing else changes."""
        options = parse_options("--auth", self.files[0])
        self.assert_made(options, self.files[0])
        for name in ("auth", "credCheckers", "credInterfaces"):
            del options[name]
        self.assertEqual({**options, "auth": []}, DEFAULTS)

    def test_repeated(self) -> None:
        """Several checkers are kept in their order."""
        one, two = self.files
        self.assert_made(parse_options(f"--auth={two}", f"--auth={one}"), two, one)

    def test_in_the_environment(self) -> None:
        """There, several are separated by blanks."""
        one, two = self.files
        self.assert_made(parse_options(TWISTED_QUOTES_AUTH=f" {one}  {two} "), one, two)

    def test_blank_in_the_environment(self) -> None:
        """A variable that holds nothing is as good as none."""
        self.assertEqual(parse_options(TWISTED_QUOTES_AUTH=" "), DEFAULTS)

    def test_there_can_be_a_worker_for_each_core(self) -> None:
        """That is, for each that this process may use."""
        cores = len(os.sched_getaffinity(0))
        self.assertEqual(parse_options("--workers=auto")["workers"], cores)

    def test_the_command_line_beats_the_environment(self) -> None:
        """What the variable holds is not even looked at."""
        options = parse_options(
            "--auth", self.files[0], TWISTED_QUOTES_AUTH="nonsense:"
        )
        self.assert_made(options, self.files[0])

    def test_every_parse_starts_anew(self) -> None:
        """Checkers given once are not there the next time."""
        parse_options("--auth", self.files[0])
        self.assertEqual(parse_options(), DEFAULTS)

    def test_what_cannot_be_used(self) -> None:
        """The one line names the option, or the variable, and says why."""
        missing = str(self.temporary_folder / "missing")
        for description, words in (
            ("nonsense:1", ["nonsense"]),
            ("non\nsense", ["non sense"]),
            ("", ["not recognized"]),
            ("file", ["filename"]),
            ("file:", ["filename"]),
            ("file: ", ["' '"]),
            (f"file:{missing}", [missing, os.strerror(2)]),
            (
                f"file:{self.temporary_folder}",
                [str(self.temporary_folder), "not a regular file"],
            ),
            ("anonymous", ["IAnonymous"]),
            ("memory:alice:hunter2", ["memory:", "file:"]),
        ):
            line = self.error_message("--auth", description)
            self.assertTrue(line.startswith("--auth cannot be used: "), line)
            for word in words:
                self.assertIn(word, line)
            self.assertNotIn("hunter2", line)
        line = self.error_message(TWISTED_QUOTES_AUTH=f"{self.files[0]} file:{missing}")
        self.assertTrue(line.startswith("TWISTED_QUOTES_AUTH cannot be used: "), line)

    def error_message(self, *arguments: str, **environment: str) -> str:
        """What is said of these options, in one line and nowhere else."""
        printed = StringIO()
        self.patch(FileCheckerFactory, "errorOutput", printed)
        error = self.assertRaises(UsageError, parse_options, *arguments, **environment)
        self.assertEqual(printed.getvalue(), "")
        self.assertEqual(len(str(error).splitlines()), 1, error)
        return str(error)

    def test_a_pipe_is_not_waited_for(self) -> None:
        """What is no regular file is not opened."""
        os.mkfifo(self.temporary_folder / "pipe")
        self.assertIn(
            "not a regular file",
            self.error_message(f"--auth=file:{self.temporary_folder}/pipe"),
        )

    def test_help_shows_the_kinds(self) -> None:
        """What can be given, of which the file is one, and how it is given."""
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
    """Options that stop the start."""

    def error_message(self, *arguments: str, **environment: str) -> str:
        """What is said of these options."""
        return str(
            self.assertRaises(UsageError, parse_options, *arguments, **environment)
        )

    def test_each_on_the_command_line(self) -> None:
        """The message names the option, what is allowed and what came."""
        for name, (allowed, texts) in INVALID_OPTIONS.items():
            for text in texts:
                self.assertEqual(
                    self.error_message(f"--{name}={text}"),
                    f"--{name} must be {allowed}, not {text!r}",
                )

    def test_each_in_the_environment(self) -> None:
        """The message names the variable, which is where to mend it."""
        for name, (allowed, texts) in INVALID_OPTIONS.items():
            for text in texts:
                self.assertEqual(
                    self.error_message(**{variable_name(name): text}),
                    f"{variable_name(name)} must be {allowed}, not {text!r}",
                )

    def test_a_number_beyond_all_measure(self) -> None:
        """A number too large to be measured is refused like a wrong one."""
        for name in ("max-running", "max-waiting", "max-connections"):
            self.assertTrue(
                self.error_message(f"--{name}", "9" * 400).startswith(
                    f"--{name} must be a"
                )
            )

    def test_a_delay_longer_than_the_whole_drain(self) -> None:
        """The delay is part of the time that shutdown may take."""
        self.assertEqual(
            self.error_message("--drain-delay=31"),
            "--drain-delay must not be longer than --drain-timeout",
        )
        self.assertEqual(
            parse_options("--drain-delay=30"), {**DEFAULTS, "drain-delay": 30.0}
        )

    def test_unknown(self) -> None:
        """An option that does not exist is named."""
        self.assertIn(
            "--dictionary-folder", self.error_message("--dictionary-folder=x")
        )

    def test_without_its_value(self) -> None:
        """An option that needs a value is named."""
        self.assertIn("--timeout", self.error_message("--timeout"))

    def test_an_argument_that_is_no_option(self) -> None:
        """The service takes options and nothing else."""
        self.error_message("authors")


class HelpTests(SynchronousTestCase):
    """What the command line tells of itself."""

    def test_help_names_every_option(self) -> None:
        """Every option stands there with its default."""
        text = str(QuotesOptions({}))
        for name in DEFAULTS:
            self.assertIn(f"--{name}=", text)
        words = " ".join(text.split())
        self.assertEqual(words.count("[default: "), len(DEFAULTS))

    def test_help_names_the_environment(self) -> None:
        """The variables are explained too."""
        self.assertIn("TWISTED_QUOTES_MAX_RUNNING", str(QuotesOptions({})))

    def test_version(self) -> None:
        """The version is printed, and that is all that is done."""
        printed = StringIO()
        with redirect_stdout(printed):
            error = self.assertRaises(SystemExit, parse_options, "--version")
        self.assertEqual(error.code, 0)
        self.assertEqual(printed.getvalue(), f"twisted_quotes {__version__}\n")

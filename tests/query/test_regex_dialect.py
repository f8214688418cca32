"""
Tests for L{twisted_quotes.query.regex_dialect}.
"""

from __future__ import annotations

import contextlib
import time
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest
from twisted_quotes.query.regex_dialect import check_dialect, find_regex_syntax

POSIX = r"""
love  ^-- .*$  a|b  (a|b)+  a{2}  a{2,}  a{,3}  a{1,3}b?  a?b+c*  (a+)?  (a*)+
\w+  \W  \s*  \S+  \bx\b  \B  \<x\>  (a)\1  \.  \\  \\d  \\\\w  \(\?  \?\?  \+\+  \*\?
\[  \]  \{1\}?  \^\$  \-  \/  \"  \,  \_
[abc]  []abc]  [^]abc]  [a-z]+  [?+]?  [*]+  [(?]  [[:digit:]]+  [^[:alpha:]_]
[[.-.]]  [[=e=]]  [\\d]  [a\\]  [\]  [^\]  [a\]  [\.]  [\-x]  [\]x[y]  [].\]  [[.].]d]
a**  a*{2}  (|a)  a||b  *a  a{x}?  a{  (  [  [a  [[:d  \  a)
"""

OTHER_DIALECTS = r"""
\d+  a\d  \D  \\\d  (\d)  \t  \n  \r  \f  \v  \e  \a  \x41  \u00e9  \p{L}  \P{L}
\h  \H  \A  \Z  \z  \K  \Q.\E  \G  \R  \N  \X  \C  \0  \k<a>  \g1  don\'t  \`x
(?i)a  (?:a)  (?=a)  (?!a)  (?<=a)  (?<!a)  (?<n>a)  (?P<n>a)  a(?#x)  (?>a)
a*?  a+?  a??  a{2}?  a{1,}?  a{,2}?  \w+?  (a)*?  [a]+?  .*?b  []]*?
a++  a*+  a?+  a{2}+
[\d]  [\w.]  [^\s]  [a-z\d]  []\d]  [[:alpha:]\d]  [\n]  [\t]  [\x41]  [\1]  [\\\d]
[\]a]  [^\]]  [a\]]+x  [\\\]]
"""

FIXED_STRINGS = ("love", "a^b", "$5", "*", "a. *", "[", "[]", "a|b", "-- Alan", "?")


class DialectTests(SynchronousTestCase):
    """Tests of L{check_dialect}."""

    def error_message(self, term: str) -> str:
        """Return the error for a term of another dialect."""
        return str(self.assertRaises(BadRequest, check_dialect, term).message)

    def test_posix_syntax_is_accepted(self) -> None:
        """So are GNU extensions with the usual meaning, and errors left to grep."""
        for term in (*POSIX.split(), " ", "", "a b", "\N{GRINNING FACE}+", "\\\u00e9"):
            check_dialect(term)

    def test_syntax_of_other_dialects_is_refused(self) -> None:
        """GNU grep would accept it without an error."""
        for term in OTHER_DIALECTS.split():
            message = self.error_message(term)
            self.assertIn('The "term" has ', message)
            self.assertIn("which POSIX extended regular expressions", message)

    def test_the_error_has_the_position_and_the_posix_form(self) -> None:
        """It shows nothing else of the term."""
        for term, construct, advice in (
            (r"secret \d", r"\d at character 8", "Write [0-9]."),
            (r"\H", r"\H at character 1", "Write [^[:blank:]]."),
            (r"\t", r"\t at character 1", "Write the character itself, or a class"),
            (r"(?i)a", "(? at character 1", '"ignore_case" makes case irrelevant.'),
            (r".*?a", "? after * at character 3", "leave out the ?."),
            (r"a{2}+", "+ after {2} at character 5", "leave out the +."),
            (r"[a\d]", r"\d in brackets at character 3", r"Write 0-9 there, or \\ for"),
            (r"[\t]", r"\t in brackets at character 2", "the character itself there"),
            (r"[^\]]", r"\] in brackets at character 3", "Write ] first there"),
        ):
            message = self.error_message(term)
            self.assertIn(f'The "term" has {construct}, which POSIX', message)
            self.assertIn(advice, message)
            self.assertNotIn("secret", message)

    def test_any_brackets_are_accepted_or_refused(self) -> None:
        """Nested and unfinished ones, too."""
        for size in range(9):
            for characters in product("[]:=", repeat=size):
                check_dialect(f"[{''.join(characters)}")

    @settings(max_examples=200)
    @given(st.text(st.sampled_from(r"ad\[](){}?*+|^$:.,2"), max_size=12))
    def test_a_term_is_accepted_or_refused_and_accepted_if_escaped(
        self, term: str
    ) -> None:
        try:
            check_dialect(term)
        except BadRequest as error:
            self.assertTrue(error.message.endswith("."))
        check_dialect("".join(c if c.isalnum() else f"\\{c}" for c in term))

    def test_a_long_term_is_checked_in_linear_time(self) -> None:
        """Brackets and classes without an end do not cause backtracking."""
        for part in (
            "[",
            "[[:",
            "[[:a",
            "[[:a:]",
            "[a",
            "\\",
            "[\\",
            "]",
            "[[.",
            "{1,",
        ):
            start = time.process_time()
            with contextlib.suppress(BadRequest):
                check_dialect((part * 1024)[:1024])
            self.assertLess(time.process_time() - start, 0.5, part)


class RegexSyntaxTests(SynchronousTestCase):
    """Tests of L{find_regex_syntax}."""

    def test_syntax_that_is_rare_in_text_is_named(self) -> None:
        for term, syntax in (
            ("^-- Alan", "^ at its start"),
            ("$", "$ at its end"),
            ("love.$", "$ at its end"),
            (".*", ".*"),
            ("a.*b", ".*"),
            ("wom[ae]n", "[...]"),
            (r"a\|b", r"\|"),
            *((term, "") for term in FIXED_STRINGS),
        ):
            self.assertEqual(find_regex_syntax(term), syntax, term)

    def test_a_long_term_is_checked_in_linear_time(self) -> None:
        for part in ("[", "[a", ".", "\\", "$", "[]"):
            start = time.process_time()
            find_regex_syntax((part * 1024)[:1023] + "x")
            self.assertLess(time.process_time() - start, 0.5, part)

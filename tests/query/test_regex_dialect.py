"""
Tests for L{twisted_quotes.query.regex_dialect}.
"""

from __future__ import annotations

import contextlib
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest
from twisted_quotes.query.regex_dialect import check_dialect, find_regex_syntax

LEGAL = r"""
love  ^-- .*$  a|b  (a|b)+  a{2}  a{2,}  a{,3}  a{1,3}b?  a?b+c*  (a+)?  (a*)+
\w+  \W  \s*  \S+  \bx\b  \B  \<x\>  (a)\1  \.  \\  \\d  \\\\w  \(\?  \?\?  \+\+  \*\?
\[  \]  \{1\}?  \^\$  \-  \/  \"  \,  \_
[abc]  []abc]  [^]abc]  [a-z]+  [?+]?  [*]+  [(?]  [[:digit:]]+  [^[:alpha:]_]
[[.-.]]  [[=e=]]  [\\d]  [a\\]  [\]  [^\]  [a\]  [\.]  [\-x]  [\]x[y]  [].\]  [[.].]d]
a**  a*{2}  (|a)  a||b  *a  a{x}?  a{  (  [  [a  [[:d  \  a)
"""

FOREIGN = r"""
\d+  a\d  \D  \\\d  (\d)  \t  \n  \r  \f  \v  \e  \a  \x41  \u00e9  \p{L}  \P{L}
\h  \H  \A  \Z  \z  \K  \Q.\E  \G  \R  \N  \X  \C  \0  \k<a>  \g1  don\'t  \`x
(?i)a  (?:a)  (?=a)  (?!a)  (?<=a)  (?<!a)  (?<n>a)  (?P<n>a)  a(?#x)  (?>a)
a*?  a+?  a??  a{2}?  a{1,}?  a{,2}?  \w+?  (a)*?  [a]+?  .*?b  []]*?
a++  a*+  a?+  a{2}+
[\d]  [\w.]  [^\s]  [a-z\d]  []\d]  [[:alpha:]\d]  [\n]  [\t]  [\x41]  [\1]  [\\\d]
[\]a]  [^\]]  [a\]]+x  [\\\]]
"""


class DialectTests(SynchronousTestCase):
    """What is let pass, and what is refused."""

    def refusal_message(self, term: str) -> str:
        """What is said of a term of another dialect."""
        return str(self.assertRaises(BadRequest, check_dialect, term).message)

    def test_what_posix_has_is_let_pass(self) -> None:
        """So is what GNU grep adds in the way of others, and what is plainly wrong."""
        for term in (*LEGAL.split(), " ", "", "a b", "\N{GRINNING FACE}+", "\\\u00e9"):
            check_dialect(term)

    def test_what_other_dialects_have_is_refused(self) -> None:
        """GNU grep would take each for something else, without an error."""
        for term in FOREIGN.split():
            message = self.refusal_message(term)
            self.assertIn('The field "term" has ', message)
            self.assertIn("which POSIX extended regular expressions", message)

    def test_the_place_is_told_and_what_posix_has_instead(self) -> None:
        """Nothing else of the term is shown."""
        for term, has, advice in (
            (r"secret \d", r"\d at character 8", "Write [0-9]."),
            (r"(?i)a", "(? at character 1", '"ignore_case" is a field.'),
            (r".*?a", "? after * at character 3", "leave out the ?."),
            (r"a{2}+", "+ after {2} at character 5", "leave out the +."),
            (r"[a\d]", r"\d in brackets at character 3", r"Write 0-9 there, or \\ for"),
            (r"[^\]]", r"\] in brackets at character 3", "Write ] first there"),
            (r"\K", r"\K at character 1", "Write K if that character is meant."),
        ):
            message = self.refusal_message(term)
            self.assertIn(f'The field "term" has {has}, which POSIX', message)
            self.assertIn(advice, message)
            self.assertNotIn("secret", message)

    @settings(max_examples=200)
    @given(st.text(st.sampled_from(r"ad\[](){}?*+|^$:.,2"), max_size=12))
    def test_a_pattern_is_let_pass_or_refused(self, term: str) -> None:
        """Nothing else goes wrong, and a literal is let pass when it is escaped."""
        try:
            check_dialect(term)
        except BadRequest as error:
            self.assertTrue(error.message.endswith("."))
        check_dialect("".join(c if c.isalnum() else f"\\{c}" for c in term))

    def test_the_longest_pattern_takes_no_time(self) -> None:
        """Brackets without an end, and classes without one, are read once."""
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
            began = time.process_time()
            with contextlib.suppress(BadRequest):
                check_dialect((part * 1024)[:1024])
            self.assertLess(time.process_time() - began, 0.5, part)


class SignTests(SynchronousTestCase):
    """What tells that a fixed string was meant as a regular expression."""

    def test_signs_are_named(self) -> None:
        """What stands for itself in few texts."""
        for term, sign in (
            ("^-- Alan", "^ at its start"),
            ("$", "$ at its end"),
            ("love.$", "$ at its end"),
            (".*", ".*"),
            ("a.*b", ".*"),
            ("wom[ae]n", "[...]"),
            (r"a\|b", r"\|"),
        ):
            self.assertEqual(find_regex_syntax(term), sign)

    def test_text_has_none(self) -> None:
        """Nor have the same characters elsewhere."""
        for term in (
            "love",
            "a^b",
            "$5",
            "*",
            "a. *",
            "[",
            "[]",
            "a|b",
            "-- Alan",
            "?",
        ):
            self.assertEqual(find_regex_syntax(term), "")

    def test_the_longest_term_takes_no_time(self) -> None:
        """However many beginnings of signs there are."""
        for part in ("[", "[a", ".", "\\", "$", "[]"):
            began = time.process_time()
            find_regex_syntax((part * 1024)[:1023] + "x")
            self.assertLess(time.process_time() - began, 0.5, part)

"""
A measurement of the time from the last key to the first quote on the screen.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from ..integration.server import Server, running_server
from .conftest import FORTUNES, NewContext

WORDS = "love", "time", "wisdom", "computer", "never", "truth"
FILES, QUOTES_PER_FILE = 1000, 20

# The time of the last key is that of the event, and the first quote is on the screen in
# the frame after the one that has it in the page.
_MEASURE = """(word) => new Promise((resolve) => {
    const field = document.querySelector("#q");
    let start = 0;
    new MutationObserver((_, observer) => {
        observer.disconnect();
        const finish = () => resolve(performance.now() - start);
        requestAnimationFrame(() => setTimeout(finish));
    }).observe(document.querySelector("#results"), { childList: true });
    field.value = word;
    start = performance.now();
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
})"""


def measure_search(page: Page, word: str) -> float:
    """Return the milliseconds from the last key to the first quote on the screen."""
    time: float = page.evaluate(_MEASURE, word)
    expect(page.locator("mark").first).to_be_visible()
    assert page.locator("article").count() <= 20
    return time


def measure(page: Page, url: str, description: str) -> None:
    """Print how long the searches on a page take."""
    page.goto(url)
    report([measure_search(page, word) for word in WORDS], description)


def report(times: list[float], description: str) -> None:
    """Print how long searches take, with and without the 120 ms after a key."""
    debounced = ", ".join(f"{time:.0f}" for time in times)
    answered = ", ".join(f"{time - 120:.0f}" for time in times)
    print(
        f"\n{description}: {debounced} ms after the key, {answered} ms after the pause"
    )


def test_quotes_in_debians_fortunes(new_context: NewContext, fortunes: Server) -> None:
    measure(new_context().new_page(), fortunes.url, "Debian's fortunes")


def test_the_first_quotes_after_a_start(
    new_context: NewContext, fortunes: Server
) -> None:
    """Each word is the first search of a server."""
    times = []
    for word in WORDS:
        with running_server(f"--dictionaries={FORTUNES}") as server:
            page = new_context().new_page()
            page.goto(server.url)
            times.append(measure_search(page, word))
    report(times, "Debian's fortunes, first search after a start")


def test_quotes_in_a_thousand_files(new_context: NewContext, tmp_path: Path) -> None:
    for number in range(FILES):
        (tmp_path / f"file-{number:04}").write_text(
            "".join(
                f"Quote {n} of file {number} has {WORDS[n % len(WORDS)]} in it.\n\n"
                for n in range(QUOTES_PER_FILE)
            )
        )
    with running_server(f"--dictionaries={tmp_path}") as server:
        measure(new_context().new_page(), server.url, f"{FILES} files")

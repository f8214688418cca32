"""Makes C{twist quotes} known."""

from twisted.application.service import ServiceMaker

quotes = ServiceMaker(
    "quotes", "twisted_quotes.tap", "Find quotes in text files.", "quotes"
)

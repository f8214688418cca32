"""The plugin of C{twist}. Every C{twist} on the machine imports it."""

from twisted.application.service import ServiceMaker

quotes = ServiceMaker(
    "quotes", "twisted_quotes.tap", "Find quotes in text files.", "quotes"
)

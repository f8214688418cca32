"""A web service that finds quotes in text files by running grep."""

__version__ = "0.1.0"

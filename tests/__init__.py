"""
Tests, arranged like the package.
"""

from hypothesis import settings

# The machine may be busy, and nothing is to be left in the checkout.
settings.register_profile("tests", deadline=None, database=None)
settings.load_profile("tests")

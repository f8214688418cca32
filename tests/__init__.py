"""
Tests, in the same folders as the modules of the package.
"""

from hypothesis import settings

# The machine may be busy, and no files should be left in the checkout.
settings.register_profile("tests", deadline=None, database=None)
settings.load_profile("tests")

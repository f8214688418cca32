from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="twisted_quotes",
    version="0.1.0",
    description="A web service that finds quotes in text files by running grep",
    long_description=Path(__file__).with_name("README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=[*find_packages(include=["twisted_quotes*"]), "twisted.plugins"],
    package_data={
        "twisted_quotes": ["py.typed", "dictionaries/*"],
        "twisted_quotes.web.pages": [
            "static/*",
            "static/swagger-ui/*",
            "templates/*.xml",
        ],
    },
    install_requires=[
        "twisted[tls] >= 26.4",
        "klein >= 24.8",
        "msgspec >= 0.20",
        "prometheus_client >= 0.21",
        "argon2-cffi >= 23.1",
        # Klein is tested with these versions; a later version may break Klein.
        "werkzeug < 3.2",
        "zstandard >= 0.23",
    ],
    extras_require={
        "test": [
            "httplint >= 2026.10.4",
            "hypothesis >= 6.100",
            "openapi-spec-validator >= 0.7",
            "playwright >= 1.50",
            "pytest >= 8",
            "pytest-cov >= 6",
            "pytest-timeout >= 2.3",
            "pytest-twisted >= 1.14.3",
            "pytest-xdist >= 3.6",
            "schemathesis >= 4",
            "setuptools >= 77",
            "treq >= 24.9",
        ],
        "bench": [
            "fastapi >= 0.115",
            "httptools >= 0.6",
            "hypercorn >= 0.17",
            "matplotlib >= 3.9",
            "quart >= 0.20",
            "uvicorn >= 0.34",
            "uvloop >= 0.21",
        ],
        "client": ["openapi-python-client >= 0.25"],
        "check": [
            "mypy >= 2",
            "mypy-zope >= 1.0.17",
            "ruff >= 0.17",
            "towncrier >= 24.8",
            "types-setuptools",
        ],
    },
    classifiers=[
        "Framework :: Twisted",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Internet :: WWW/HTTP :: HTTP Servers",
    ],
)

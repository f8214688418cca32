"""
For operators: metrics, logs in JSON, and notifications to systemd.

Start with L{metrics<twisted_quotes.monitoring.metrics>}.
"""

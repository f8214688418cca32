"""
What operators see: metrics, logs for programs, and notices to systemd.

Read L{metrics<twisted_quotes.monitoring.metrics>} first.
"""

"""
A benchmark that compares twisted_quotes with other servers on one machine.
"""

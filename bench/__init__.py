"""
The benchmark: twisted_quotes beside its peers, on one machine, in ratios.
"""

"""
Tests of the benchmark.
"""

"""Simulations: how often intervals cover and verdicts err, where the truth is known because it was made.

`python -m benchmarks.simulations` runs all of them at full size and writes their figures into docs/statistics.md. Each
is a function of a seed and a number of repetitions that gives rows of figures; tests run the same functions smaller.
"""

"""A soak: random valid scenarios of the whole schema, and every law of docs/robustness.md checked on each.

`python -m tests.soak --count 10000 --seed 1`; docs/robustness.md, "Soak", says what is drawn and what is checked.
"""

"""The guests: measured phases of work, and the programs that vCPUs run.

A program is a generator of actions and sees only its own CPU (registers, clock, random draws).
It knows nothing of hosts, schedulers or simulated time.
"""

"""Benchmarks: the counter kernel and the engine against peers that do the same work another way."""

import collections
import cProfile
import pstats
import sys
import time

from simcore import kernelcache

kernelcache.key_cache_directory()
from tests.soak import examining, laws
from tests.soak.program import install

install()
tt = collections.Counter()


def timed(name, f):
    def g(trial):
        t = time.process_time()
        try:
            f(trial)
        finally:
            tt[name] += time.process_time() - t

    return g


for n, f in list(laws.LAWS.items()):
    laws.LAWS[n] = timed(n, f)
examining.examine(1, 0)
pr = cProfile.Profile()
t = time.process_time()
tt.clear()
if len(sys.argv) > 3:
    pr.enable()
for i in range(int(sys.argv[1]), int(sys.argv[2])):
    examining.examine(1, i)
pr.disable()
print("total", time.process_time() - t)
for n, x in tt.most_common():
    print(round(x, 2), n)
if len(sys.argv) > 3:
    pstats.Stats(pr).sort_stats("tottime").print_stats(35)

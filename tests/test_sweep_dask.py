"""The same sweep on a Dask cluster, of processes of this machine; one of them is killed in the middle of a run."""

import os
import signal
from importlib.util import find_spec

import pytest

from simcore.app.sweeping import sweep
from simcore.errors import InputError
from tests.sweeps import fingerprint, make_study
from tests.tools import unavailable

SLOWER = '[grid]\nhz = [100, 250]\nseconds = ["5ms"]\n[seeds]\ncount = 6\n'


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), SLOWER)


@pytest.fixture(scope="module")
def here(study, tmp_path_factory):
    """Return the dataset of the sweep without a cluster."""
    out = tmp_path_factory.mktemp("here") / "out"
    sweep(study, out, workers=1)
    return fingerprint(out)


@pytest.fixture(scope="module")
def cluster(here):
    """Return a cluster of two workers, which run plain Python: that starts fastest."""
    if find_spec("distributed") is None:
        unavailable("the extra dask is not installed")
    import distributed

    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        silence_logs=50,
        env={"NUMBA_DISABLE_JIT": "1"},
    ) as found:
        yield found


def test_a_cluster_of_which_a_worker_is_killed_gives_the_same_dataset(study, here, cluster, tmp_path):
    pids = [nanny.pid for nanny in cluster.workers.values()]

    def kill(tally):
        if pids and tally.finished >= 3:
            os.kill(pids.pop(), signal.SIGKILL)
            pids.clear()

    done = sweep(study, tmp_path / "dask", dask=cluster.scheduler_address, watch=kill)
    assert not pids
    assert (done.tally.finished, done.tally.failed) == (12, 0)
    assert fingerprint(tmp_path / "dask") == here


def test_no_scheduler_is_bad_input(study, tmp_path, monkeypatch):
    if find_spec("distributed") is None:
        unavailable("the extra dask is not installed")
    monkeypatch.setattr("simcore.app.crew_dask.CONNECT_S", 0.2)
    with pytest.raises(InputError, match="cannot reach a Dask scheduler"):
        sweep(study, tmp_path / "out", dask="tcp://127.0.0.1:1")

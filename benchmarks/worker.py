"""Another process that does what it is told, line by line: SimSo, or another version of hetpmu."""

import atexit
import subprocess
from collections.abc import Mapping, Sequence

from benchmarks.measure import Unavailable


class Worker:
    """A process that answers each line on its stdin by one line on its stdout."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        atexit.register(self._process.kill)

    def ask(self, command: str) -> str:
        """Have a command done, and return the answer."""
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: the answer is missing too
        return self.answer()

    def answer(self) -> str:
        """Return the next line that it writes."""
        assert self._process.stdout
        answer = self._process.stdout.readline()
        if not answer:
            raise Unavailable(f"{self._name} ended with status {self._process.wait()}")
        return answer.strip()

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
        atexit.unregister(self._process.kill)

"""One child process: started in its own group, its output in a file, ended by pid."""

import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path


#: The ports that this process has given out: the next one to listen may not have done so yet when it is asked again.
_given = set()


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on, that no outgoing connection will be given, and that
    was not given before."""
    while True:
        port = random.randrange(15_000, 32_000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def wait_until(condition, what: str, seconds: float = 30.0):
    """Polls `condition` until it is true; its value is returned. Fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.02)


class Process:
    """A started program."""

    def __init__(self, name: str, command: list, env: dict, cwd: Path, log: Path):
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._env = {**os.environ, **{key: str(value) for key, value in env.items()}}
        self._cwd = cwd
        self._child = None
        self.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def start(self):
        """Starts it (again)."""
        with open(self.log, "ab") as output:
            self._child = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def alive(self) -> bool:
        return self._child.poll() is None

    def require_alive(self):
        """Fails with the end of the log if the process has ended."""
        if not self.alive():
            tail = self.log.read_text(errors="replace")[-3000:]
            raise AssertionError(f"{self.name} ended with {self._child.returncode}:\n{tail}")

    def kill(self):
        """SIGKILL to the whole group, as a crash would look; returns when it is gone."""
        self._signal(signal.SIGKILL)
        self._child.wait(timeout=10)

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM, then SIGKILL after `seconds`; the exit status."""
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
            try:
                self._child.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._signal(signal.SIGKILL)
        return self._child.returncode

    def _signal(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

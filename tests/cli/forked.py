"""Commands that cost no import: a parent that has imported everything forks each."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE_SECONDS = 120.0

Run = Callable[..., subprocess.CompletedProcess[str]]
"""`Commands.run`."""

FORKING = """
import json, os, sys
import pyarrow.compute, pydantic
import deeptracker.cli, deeptracker.indexing, deeptracker.server.runs
for module in sys.argv[1:]:
    __import__(module)

for line in sys.stdin:
    folder, cwd, *sys.argv[1:] = json.loads(line)
    pipes = [os.open(f"{folder}/{name}", os.O_WRONLY) for name in ("said", "errors")]
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(cwd)
        os.dup2(pipes[0], 1)
        os.dup2(pipes[1], 2)
        os.closerange(3, 100)
        code = 0
        try:
            deeptracker.cli.main()
        except SystemExit as left:
            code = left.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    for pipe in pipes:
        os.close(pipe)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Commands:
    """The parent, one command at a time; its imports are done before the first."""

    def __init__(self, folder: Path, environment: dict[str, str], *modules: str) -> None:
        self.folder = folder
        for name in ("said", "errors"):
            os.mkfifo(folder / name)
        command = [sys.executable, "-c", FORKING, *modules]
        self.parent = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def close(self) -> None:
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        self.parent.stdin.close()
        self.parent.wait()
        self.parent.stdout.close()

    def start(self, *args: str, cwd: Path | None = None) -> Forked:
        """Begin `deeptracker` with these arguments."""
        return Forked(self, list(args), cwd or Path.cwd())

    def run(self, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The same, and wait for its end."""
        command = self.start(*args, cwd=cwd)
        said, errors = command.communicate(PATIENCE_SECONDS)
        assert "Traceback" not in said + errors
        assert command.returncode is not None
        return subprocess.CompletedProcess(args, command.returncode, said, errors)

    def number(self) -> int:
        """What the parent tells next."""
        assert self.parent.stdout is not None
        return int(self.parent.stdout.readline())


class Forked:
    """One command, with as much of `subprocess.Popen` as is wanted of it."""

    def __init__(self, commands: Commands, args: list[str], cwd: Path) -> None:
        self.args = args
        self.returncode: int | None = None
        self._commands = commands
        pipes = (os.open(commands.folder / name, os.O_RDONLY | os.O_NONBLOCK) for name in ("said", "errors"))
        self._pipes = [os.fdopen(pipe) for pipe in pipes]
        assert commands.parent.stdin is not None
        commands.parent.stdin.write(json.dumps([str(commands.folder), str(cwd), *args]).encode() + b"\n")
        self.pid = commands.number()

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._commands.parent.stdout], [], [], 0)[0]:
            self.returncode = self._commands.number()
        return self.returncode

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """What it and its workers have said, once all have ended; little enough to fit into a pipe."""
        for pipe in self._pipes:
            poll = select.poll()
            poll.register(pipe, 0)  # tells only that nobody is left who could write
            if not poll.poll(timeout * 1000):
                raise subprocess.TimeoutExpired(self.args, timeout)
        said, errors = (pipe.read() for pipe in self._pipes)
        for pipe in self._pipes:
            pipe.close()
        if self.returncode is None:
            self.returncode = self._commands.number()
        return said, errors

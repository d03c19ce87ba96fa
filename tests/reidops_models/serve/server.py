"""`reidops serve` in a process of its own, and the browser that looks at its page."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium")
# The page must need nothing from outside, and the browser itself asks for nothing.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Server:
    """The command, running.

    Attributes:
        url: of the page.
        process: the command's.
    """

    def __init__(self, gallery: Path, *options: object) -> None:
        words = [sys.executable, "-m", "reidops_models", "serve", "--gallery", str(gallery), "--port", "0"]
        self.process = subprocess.Popen(
            [*words, *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hear_interruptions,
        )
        self.line = _stream(self.process.stdout).readline()
        if " at http://" not in self.line:
            self.process.kill()
            raise RuntimeError(self.line + _stream(self.process.stderr).read())
        self.url = self.line.partition(" at ")[2].split()[0]

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C: the exit code, and what is on stderr."""
        self.process.send_signal(signal.SIGINT)
        _, complaints = self.process.communicate(timeout=60)
        return self.process.returncode, complaints


def _hear_interruptions() -> None:
    """Tests that a script runs in the background ignore Ctrl-C, and so would the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@contextmanager
def serving(gallery: Path, *options: object) -> Iterator[Server]:
    """The command, until the block ends."""
    server = Server(gallery, *options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        try:
            yield browser
        finally:
            browser.close()

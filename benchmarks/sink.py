"""An SMTP server that only writes each message to a file and flushes it: `python -m benchmarks.sink FOLDER`."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiosmtpd.smtp import SMTP


class Sink:
    """aiosmtpd's handler. The flush runs on a thread, so that one message's disk does not hold the others up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        await asyncio.to_thread(self._keep, envelope.original_content)
        return "250 2.0.0 OK"

    def _keep(self, content: bytes) -> None:
        with (self.folder / uuid4().hex).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


async def _serve(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    sink = Sink(folder)
    server = await loop.create_server(lambda: SMTP(sink, loop=loop), "127.0.0.1", 0)
    print("SMTP", server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))

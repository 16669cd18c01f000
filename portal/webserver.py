"""The web server of `manage.py web`: gunicorn, its settings, and its threads, which wait for no client for long."""

import errno
import logging
import socket
import time
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.util import close_graceful
from gunicorn.workers.gthread import _DEFER, ThreadWorker

from portal.gates.bodies import is_refused
from portal.logs import JSONLine, TextLine
from portal.network import bracketed

log = logging.getLogger(__name__)

REQUEST_SECONDS = 15.0  # for a whole request, head and body
WRITE_SECONDS = 15.0  # for one piece of an answer
ANSWER_SECONDS = 300.0  # from the request's first octet to its answer's last
# More than an answer usually takes. With a request's time this is how long SIGTERM waits; `make run` and our units kill
# later. Longer than that takes a file that somebody downloads slowly, and who comes by upgrades can't wait for that.
LAST_ANSWER_SECONDS = 10.0
# Of what is refused unread, this much is taken and dropped, for as long as gunicorn waits (2 s). A connection that is
# closed upon it is reset, and who still sends learns of no answer: behind Caddy, which has up to 1100 KiB of a request
# in its hands, that was a 504 half a minute later.
DROPPED_OCTETS = 4 << 20


class WebServer(BaseApplication):
    """gunicorn with these settings and no others: neither its command line nor its variable of the environment is asked."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        super().__init__()

    def load_config(self) -> None:
        for name, value in {
            "bind": f"{bracketed(settings.HTTP_BIND)}:{settings.HTTP_PORT}",
            "workers": self._processes,
            "threads": settings.WEB_THREADS,
            "worker_class": Worker,
            "logger_class": Log,
            "pre_request": _ask_for_no_refused_body,
            "preload_app": True,  # Django starts once for all of them, and the checks run once
            "keepalive": 5,  # seconds in which a silent connection may say something; it holds no thread meanwhile
            "graceful_timeout": int(REQUEST_SECONDS + LAST_ANSWER_SECONDS),
            "loglevel": "warning",
            "control_socket_disable": True,  # it would lie in the home folder
            # Nobody chooses by a header what a path means, or who asks by which scheme: Django judges what a proxy says.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "secure_scheme_headers": {},
            "header_map": "drop",  # X_Forwarded_For must not pass for X-Forwarded-For
        }.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        from portal.wsgi import application  # noqa: PLC0415 - it runs the checks, once this process is to serve

        return application


def _ask_for_no_refused_body(worker: Any, request: Any) -> None:
    """A body that is refused unread (portal/gates/bodies.py): who asks first is not told to send it (RFC 9110, 10.1.1), and
    it must not be read afterwards for the next request's sake.
    """
    headers = dict(request.headers)
    if is_refused(headers.get("CONTENT-LENGTH", ""), chunked="TRANSFER-ENCODING" in headers):
        request._expected_100_continue = False  # gunicorn has no other name for it
        request.force_close()


class Log(Logger):
    """gunicorn's own lines, which tell addresses as well."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            as_json = settings.LOG_FORMAT == "json"
            handler.setFormatter(JSONLine() if as_json else TextLine(line_of=handler.formatter))


class Worker(ThreadWorker):
    """A client that is silent, sends drop by drop or does not read gives its thread back.

    Whoever reconnects may take the next one: only a proxy that reads requests whole before it asks us keeps slow
    clients from the threads altogether (docs/settings.md).
    """

    sockets: list[Any]

    def set_accept_enabled(self, enabled: bool) -> None:
        """At its end it takes what has come, and then refuses: who would wait here for nobody may go to another process."""
        super().set_accept_enabled(enabled)
        if self.alive or enabled:
            return
        listeners, self.sockets = self.sockets, []
        for listener in listeners:
            known = -1
            while known < self.nr_conns < self.worker_connections:
                known = self.nr_conns
                self.accept(listener)
            listener.close()

    def enqueue_req(self, conn: Any) -> None:
        if not isinstance(conn.sock, _Bounded):
            conn.sock = _Bounded(conn.sock)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        if not conn.initialized and not conn.wait_for_data(0):
            return _DEFER  # browsers open connections in advance
        conn.sock.begin()
        kept = super().handle(conn)
        if conn.sock.late:  # a line: gunicorn would tell it in twenty, among which real faults drown
            log.info("a client took too long to %s", conn.sock.late)
        if not kept:
            # Here, for it waits for the client; the parent's main loop must not.
            conn.sock.setblocking(True)
            close_graceful(conn.sock, max_drain=DROPPED_OCTETS)
        return kept


class _Bounded(socket.socket):
    """A connection whose reads and writes end in time. Too late is ConnectionResetError, as if the client had gone, and
    `late` says what it was.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.begin()

    def begin(self) -> None:
        now = time.monotonic()
        self._read_until, self._write_until = now + REQUEST_SECONDS, now + ANSWER_SECONDS
        self.late = ""

    def setblocking(self, flag: bool) -> None:
        if self.fileno() != -1:  # closed already, by the thread
            self.settimeout(WRITE_SECONDS if flag else 0)

    def recv(self, *args: Any) -> bytes:
        return self._in_time(self._read_until, super().recv, *args)

    def sendall(self, *args: Any) -> None:
        self._in_time(self._write_until, super().sendall, *args)

    def sendfile(self, *args: Any, **options: Any) -> int:
        return self._in_time(self._write_until, super().sendfile, *args, **options)

    def _in_time(self, until: float, act: Any, *args: Any, **options: Any) -> Any:
        patience = self.gettimeout()
        if not patience:
            return act(*args, **options)
        self.settimeout(min(patience, max(until - time.monotonic(), 0.001)))
        try:
            return act(*args, **options)
        except TimeoutError:
            self.late = "send" if act.__name__ == "recv" else "take its answer"
            raise ConnectionResetError(errno.ECONNRESET, "the client took too long") from None
        finally:
            self.settimeout(patience)

import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import connection

from tests.accounts.factors import Clock
from tests.breaking.workers import Workers
from tests.gateway.kit import Certificates, Clients, gateway_running
from tests.journeys.stage import Stage

# The one without a window of its own first: it takes a fifth less time.
BROWSER = next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None
)
SECONDS = 15  # for a page to show what it should, on a busy machine


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are the browser's business; errors are logged by Django."""


@pytest.fixture
def gateway(committed_db: None, tmp_path: Any, settings: Any) -> Iterator[Clients]:
    """The gateway, and the pages that name its ports."""
    with gateway_running(Certificates(tmp_path)) as clients:
        ports = clients.ports
        settings.PUBLIC_SMTP_PORT, settings.PUBLIC_SMTPS_PORT = ports.smtp, ports.smtps
        settings.PUBLIC_POP3_PORT, settings.PUBLIC_POP3S_PORT = ports.pop3, ports.pop3s
        yield clients


@pytest.fixture
def web_port(committed_db: None) -> Iterator[int]:
    """The portal by HTTP on loopback."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet)
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def worker(committed_db: None, tmp_path: Path, settings: Any) -> Iterator[None]:
    """A worker and beat in processes of their own; jobs wait until it has started."""
    settings.JOB_SILENCE_SECONDS = 1.0  # as there: soon enough beat rings for a job that nobody could work on
    workers = Workers(tmp_path)
    workers.start()
    yield
    workers.kill_all()
    sys.stdout.write(workers.last_words())  # shown when the test has failed


@pytest.fixture
def hold(acme: Any) -> Iterator[Callable[[int, int], Callable[[], None]]]:
    """Holds some of Acme's messages, counted in order of arrival, as an archiver does that is deleting them.

    Workers pass these by until the returned function lets go: so a job stands where a test wants it.
    """
    parameters = connection.get_connection_params()
    known = {
        key: parameters[key] for key in ("host", "port", "user", "password", "dbname") if parameters.get(key)
    }
    table = f'"{acme.schema_name}".mailboxes_message'
    with ExitStack() as stack:

        def begin(first: int, count: int) -> Callable[[], None]:
            outside = stack.enter_context(psycopg.connect(**known))
            outside.execute(
                f"SELECT FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id OFFSET %s LIMIT %s) FOR UPDATE",
                [first, count],
            )
            return outside.rollback

        yield begin


@pytest.fixture
def meanwhile() -> Callable[[Callable[[], Any]], Any]:
    """Does something with Django's database in the middle of a visitor's part, whose own thread must not."""

    def do(act: Callable[[], Any]) -> Any:
        def alone() -> Any:
            try:
                return act()
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(alone).result()

    return do


class Visitor:
    """A person at a browser: pages, and everything that a page should not have done.

    Playwright's loop lives on a thread of its own, away from Django's database connections.
    """

    def __init__(self, browser: Any, port: int, **options: Any) -> None:
        self.port = port
        self.complaints: list[str] = []
        self.scripts = options.get("java_script_enabled", True)
        self.foreign: list[str] = []
        self.context = browser.new_context(**{"locale": "en-GB"} | options)
        self.context.set_default_timeout(SECONDS * 1000)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)
        self.page.on("request", self._requested)

    def url(self, path: str = "/", customer: str | None = None) -> str:
        host = f"{customer}.portal.localhost" if customer else "portal.localhost"
        return f"http://{host}:{self.port}{path}"

    def signs_in(self, email: str, password: str) -> None:
        self.page.goto(self.url())
        self.page.fill("[name=login]", email)
        self.page.fill("[name=password]", password)
        self.page.press("[name=password]", "Enter")
        self.page.wait_for_selector(".person")

    def presses(self, button: str, then: str) -> None:
        """A button that leads on, and waits for what the next page shows."""
        with self.page.expect_navigation():
            self.page.click(button)
        self.page.wait_for_selector(then)

    def forgets_to_tick(self, then: str) -> None:
        """As browsers without scripts allow; in others OK can't be pressed until then."""
        with self.page.expect_navigation():
            self.page.evaluate("document.querySelector('#ok').form.submit()")
        self.page.wait_for_selector(then)

    def tabs_to(self, selector: str) -> None:
        """Go there as people do who have no mouse."""
        for _ in range(60):
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {selector}")

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for(state="visible")

    def _heard(self, message: Any) -> None:
        expected = ["404 (Not Found)"]
        if (
            not self.scripts
        ):  # one attribute is for browsers that don't know the other (templates/frame/dialog.html)
            expected.append("popovertarget is ignored on elements with commandfor")
        if message.type in ("error", "warning") and not any(text in message.text for text in expected):
            self.complaints.append(message.text)

    def _requested(self, request: Any) -> None:
        if not re.match(rf"(data|blob):|http://([a-z.]+\.)?localhost:{self.port}/", request.url):
            self.foreign.append(request.url)


class Chromium:
    """One browser for all tests of a process, on a thread of its own. Each visitor has a window that shares nothing with
    the others', and none outlives its test.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._driver, self._browser = self._does(self._begin)

    def _begin(self) -> tuple[Any, Any]:
        from playwright.sync_api import sync_playwright

        quiet = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
        quiet += ["--disable-background-networking", "--disable-component-update"]
        driver = sync_playwright().start()
        return driver, driver.chromium.launch(executable_path=BROWSER, args=quiet)

    def _does(self, act: Callable[[], Any]) -> Any:
        return self._thread.submit(act).result()

    def visits(self, story: Callable[[Visitor], Any], port: int, **options: Any) -> Any:
        return self._does(lambda: story(Visitor(self._browser, port, **options)))

    def closes_all_windows(self) -> None:
        self._does(lambda: [context.close() for context in list(self._browser.contexts)])

    def ends(self) -> None:
        self._does(self._browser.close)
        self._does(self._driver.stop)
        self._thread.shutdown()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    if BROWSER is None:
        assert not os.environ.get("CI"), "CI needs a browser: install chromium-headless-shell"
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    browser = Chromium()
    yield browser
    browser.ends()


@pytest.fixture
def visit(chromium: Chromium, web_port: int) -> Iterator[Callable[..., Any]]:
    """Runs a visitor's part in the browser; `visit(story, **options of the browser's context)` gives its result."""

    def run(story: Callable[[Visitor], Any], **options: Any) -> Any:
        return chromium.visits(story, web_port, **options)

    yield run
    chromium.closes_all_windows()


@pytest.fixture
def stage(gateway: Clients, meanwhile: Callable[[Callable[[], Any]], Any], clock: Clock) -> Stage:
    return Stage(meanwhile, gateway.send, clock)

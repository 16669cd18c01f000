import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from tests.gateway.kit import Certificates, Clients, gateway_running

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 15  # for a page to show what it should, on a busy machine


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are the browser's business; errors are logged by Django."""


@pytest.fixture
def gateway(committed_db: None, tmp_path: Any, settings: Any) -> Iterator[Clients]:
    """The gateway, and the pages that name its ports."""
    with gateway_running(Certificates(tmp_path)) as clients:
        ports = clients.ports
        settings.SMTP_PORT, settings.SMTPS_PORT = ports.smtp, ports.smtps
        settings.POP3_PORT, settings.POP3S_PORT = ports.pop3, ports.pop3s
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


class Visitor:
    """A person at a browser: pages, and everything that a page should not have done.

    Playwright's loop lives on a thread of its own, away from Django's database connections.
    """

    def __init__(self, browser: Any, port: int, **options: Any) -> None:
        self.port = port
        self.complaints: list[str] = []
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

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for(state="visible")

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning") and "404 (Not Found)" not in message.text:
            self.complaints.append(message.text)

    def _requested(self, request: Any) -> None:
        if not re.match(rf"(data|blob):|http://([a-z.]+\.)?localhost:{self.port}/", request.url):
            self.foreign.append(request.url)


@pytest.fixture
def visit(web_port: int) -> Iterator[Callable[..., Any]]:
    """Runs a visitor's part in the browser; `visit(story, **options of the browser's context)` gives its result."""
    if BROWSER is None:
        assert not os.environ.get("CI"), "CI needs a browser: install chromium"
        pytest.skip("there is no Chromium on this machine (Debian and Ubuntu: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update"]

    def begin() -> tuple[Any, Any]:
        driver = sync_playwright().start()
        return driver, driver.chromium.launch(executable_path=BROWSER, args=quiet)

    with ThreadPoolExecutor(1) as thread:
        driver, browser = thread.submit(begin).result()

        def run(story: Callable[[Visitor], Any], **options: Any) -> Any:
            return thread.submit(lambda: story(Visitor(browser, web_port, **options))).result()

        yield run
        thread.submit(browser.close).result()
        thread.submit(driver.stop).result()

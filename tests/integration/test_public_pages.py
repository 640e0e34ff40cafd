"""Prefect's pages and the documents behind a proxy that speaks TLS under a name of its own, in a real browser."""

import asyncio
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from c2m.doors import USER, key
from c2m.floor.child import LOOPBACK, free_port
from c2m.settings import settings
from flows import services

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
NAME = "c2m.example"


def certificate(folder: Path) -> tuple[Path, Path]:
    files = folder / "proxy.crt", folder / "proxy.key"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    with suppress(FileNotFoundError):
        subprocess.run([*request, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
        return files
    pytest.skip("openssl is not installed")


@contextmanager
def proxies(targets: dict[int, int], files: tuple[Path, Path]) -> Iterator[None]:
    """Each port speaks TLS and hands on what it hears, `Host` and all."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    loop = asyncio.new_event_loop()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while block := await reader.read(65536):
                writer.write(block)
                await writer.drain()
        writer.close()

    async def begin(port: int, target: int) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, target)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

        await asyncio.start_server(accept, LOOPBACK, port, ssl=context)

    for pair in targets.items():
        loop.run_until_complete(begin(*pair))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def test_pages_open_under_the_name_of_a_proxy_and_ask_nobody_else(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    binary = shutil.which("chromium")
    if not binary:
        pytest.skip("chromium is not installed")
    prefect, documents, *public = (free_port() for _ in range(4))
    sites = {name: f"https://{NAME}:{port}" for name, port in zip(("prefect", "documents"), public, strict=True)}
    monkeypatch.setenv("C2M_PUBLIC_URLS", json.dumps(sites))
    settings.cache_clear()
    for name, value in services.environment(f"http://{LOOPBACK}:{prefect}").items():
        monkeypatch.setenv(name, value)
    asked: list[str] = []
    behind = dict(zip(public, (prefect, documents), strict=True))
    with (
        services.prefect_server(prefect),
        services.documents(documents),
        proxies(behind, certificate(tmp_path)),
        sync_playwright() as tools,
    ):
        arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {NAME} {LOOPBACK}"]
        browser = tools.chromium.launch(executable_path=binary, args=arguments)
        login = {"username": USER, "password": key()}
        page = browser.new_page(http_credentials=login, ignore_https_errors=True)
        page.set_default_timeout(90_000)  # Prefect's first page on a busy machine
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda stream: asked.append(stream.url))
        page.goto(sites["prefect"])
        page.get_by_placeholder("admin:pass").fill(f"{USER}:{key()}")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Deployments").click()
        page.get_by_text("deployment").first.wait_for()
        page.goto(sites["documents"])
        page.get_by_text("Data Docs").first.wait_for()
        browser.close()
    assert any("/api/" in url for url in asked)
    named = {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert named == {urlsplit(url).netloc for url in sites.values()}

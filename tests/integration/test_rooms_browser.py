"""The order room in a real browser: by the keyboard alone, on a phone and on a desk, with no other host asked."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright
from rooms_kit import WAITING

from c2m.rooms import links

pytestmark = [pytest.mark.long, pytest.mark.chromium]
PAGES = ("/", "/exceptions", "/orders", "/orders/O1", "/board", "/plans", f"/plans/{WAITING.plan_id}", "/figures")
SIZES = {"phone": (360, 740), "desk": (1280, 900)}


@pytest.fixture(params=SIZES)
def context(request: pytest.FixtureRequest, site: str) -> Iterator[BrowserContext]:
    """A browser of that size, in which nobody is signed in."""
    binary = shutil.which("chromium")
    if not binary:
        pytest.skip("chromium is not installed")
    width, height = SIZES[request.param]
    with sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        made = chromium.new_context(base_url=site, viewport={"width": width, "height": height})
        yield made
        chromium.close()


def by_keyboard(page: Page, wanted: str) -> None:
    """Goes on with Tab until what has the focus says so, then presses Enter."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if (
            page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel || ''").strip()
            == wanted
        ):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"{wanted} is not reached by the keyboard at {page.url}")


def test_a_plan_is_found_and_decided_by_the_keyboard_alone(context: BrowserContext) -> None:
    token, _ = links.give("operator", "", "Lin", 1, "test")
    page, faults, asked = context.new_page(), [], []
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/in/{token}")
    by_keyboard(page, "Open my room")
    page.get_by_role("heading", name="Today").wait_for()
    for path in PAGES:
        page.goto(path)
        assert page.locator("h1").count() == 1, path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path  # tables scroll by themselves
    page.goto("/")
    for link in ("Plans", "2026-01-05, round 2"):
        by_keyboard(page, link)
        page.get_by_role("heading", name=link, level=1).wait_for()
    by_keyboard(page, "Reject the plan")
    assert page.evaluate("document.activeElement.id") == "reason"  # the browser asks for what is needed
    page.keyboard.type("too dear")
    assert page.get_by_label("Reason").input_value() == "too dear"
    assert faults == []
    assert {urlsplit(url).hostname for url in asked} == {urlsplit(page.url).hostname}


def test_the_rooms_work_without_scripts(context: BrowserContext) -> None:
    chromium = context.browser
    assert chromium is not None
    token, _ = links.give("merchant", "M1", "Asha", 1, "test")
    plain = chromium.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(links.address(token))
    page.get_by_role("button", name="Open my room").click()
    page.get_by_text("Shirt of M1").first.wait_for()

"""The site is built without a warning, has no dead end, and loads nothing from the net."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PAGES = ("index.html", "start.html", "algorithms.html", "limits.html", "commands.html")
PHONE = {"width": 390, "height": 800}


class Links(HTMLParser):
    """What a page leads to, what it loads, and what can be led to in it."""

    def __init__(self, page):
        super().__init__()
        self.leads, self.loads, self.ids, self.unnamed = [], [], set(), []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids |= {given["id"]} if given.get("id") else set()
        if tag == "a" and given.get("href"):
            self.leads.append(given["href"])
        if tag in ("img", "script", "iframe") and given.get("src"):
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preconnect"):
            self.loads.append(given["href"])
        if tag == "img" and not given.get("alt"):
            self.unnamed.append(given.get("src"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; warnings are errors (`strict` in mkdocs.yml)."""
    target = tmp_path_factory.mktemp("site")
    command = (sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", target)
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def pages(site):
    """The links of every page."""
    return {page: Links(page) for page in site.rglob("*.html") if page.name != "404.html"}


def test_every_page_is_there(site, pages):
    built = {str(page.relative_to(site).with_suffix(".md")) for page in pages}
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= built
    assert {*PAGES} <= {page.name for page in pages}


def test_no_page_leads_nowhere(pages):
    for page, links in pages.items():
        for link in links.leads + links.loads:
            there = urlsplit(link)
            if there.scheme in ("http", "https", "mailto"):
                continue
            target = (page.parent / unquote(there.path)).resolve() if there.path else page
            assert target.is_file(), f"{page.name}: {link}"
            if there.fragment and target in pages:
                assert unquote(there.fragment) in pages[target].ids | {"__skip"}, (page.name, link)


def test_nothing_is_loaded_from_the_net(site, pages):
    assert not [(p.name, url) for p, links in pages.items() for url in links.loads if "//" in url]
    for sheet in (ROOT / "docs" / "assets").glob("*.css"):
        assert "http" not in sheet.read_text("utf-8")


def test_pictures_have_a_text_instead(pages):
    assert not [(page.name, *links.unnamed) for page, links in pages.items() if links.unnamed]


def test_lists_and_blocks_are_understood(pages):
    """What GitHub takes for a list or a fence and Python's Markdown does not ends as plain text."""
    for page in pages:
        text = page.read_text("utf-8")
        assert not re.search(r"<p>[^<]*\n(- |\d\. )", text), (
            f"{page.name}: a list without a blank line"
        )
        assert "<p>```" not in text, page.name


def test_equations_are_drawn_and_named(site):
    text = (site / "algorithms.html").read_text("utf-8")
    source = (ROOT / "docs" / "algorithms.md").read_text("utf-8")
    lines = re.findall(r"^```math\n(.*?)^```", source, re.MULTILINE | re.DOTALL)
    wanted = sum(len(block.strip().splitlines()) for block in lines)
    assert len(re.findall(r'<svg role="img" aria-label="[^"]+" viewBox', text)) == wanted > 5


@pytest.fixture(scope="module")
def browser():
    """A Chromium that is cut off from the net."""
    if not CHROMIUM:
        pytest.skip("no Chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        args = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND"]
        opened = running.chromium.launch(executable_path=CHROMIUM, args=args)
        yield opened
        opened.close()


def visited(browser, url, **options):
    """A page, and what went wrong in it."""
    page, wrong = browser.new_page(**options), []
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    return page, wrong


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_a_phone(site, browser, name):
    page, wrong = visited(browser, (site / name).as_uri(), viewport=PHONE, color_scheme="dark")
    wide = page.evaluate("document.documentElement.scrollWidth")
    unseen = page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
    page.close()
    assert not wrong
    assert not unseen
    assert wide <= PHONE["width"]


def test_search_finds_without_a_server(site, browser):
    page, wrong = visited(browser, (site / "index.html").as_uri())
    page.locator("input[name=query]").click()
    page.locator("input[name=query]").press_sequentially("missing wedge")
    first = page.locator(".md-search-result__link").first
    first.wait_for(timeout=20_000)
    found = first.get_attribute("href")
    page.close()
    assert "wedge" in found
    assert not wrong

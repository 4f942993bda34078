"""The page in a real browser, through its debugging pipe: pictures, anchors, width, colours, keyboard, console."""

import base64
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genlab.reporting.curves import draw_curves
from genlab.reporting.page import write_page
from genlab.reporting.runs import read_run
from genlab.reporting.sheets import contact_sheet, save_animation, save_png
from genlab.reporting.study_figures import draw_study
from genlab.studies.folder import StudyRecord
from genlab.studies.ledger import make_ledger
from genlab.studies.observations import observe

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)
PHONE, DESK = (390, 844), (1280, 900)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no chromium on the path, and this is not CI"
)


class Chromium:
    """A headless browser with one tab, spoken to in Chrome's DevTools protocol over two pipes."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None, "CI needs chromium on the path: the page is to be opened in it"
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        ends = [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
        quiet = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        words = [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        self._process = os.posix_spawn(CHROMIUM, words, os.environ, file_actions=[*_apart(ends), *quiet])
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        (page,) = [each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what happens meanwhile goes to ``events``."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, page: Path, size: tuple[int, int], scheme: str) -> None:
        """Open ``page`` in a window of ``size`` whose reader prefers ``scheme`` (light or dark), and wait for it."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression on the page; its promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode={"Tab": 9}[key])

    def screenshot(self, path: Path, whole: bool = False) -> Path:
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def close(self) -> None:
        self._session = ""
        self.call("Browser.close")
        os.waitpid(self._process, 0)
        os.close(self._in)
        os.close(self._out)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            found = os.read(self._in, 1 << 16)
            assert found, "the browser has gone"
            self._buffer += found
        message, _, self._buffer = self._buffer.partition(b"\0")
        read: dict[str, Any] = json.loads(message)
        return read


def _apart(ends: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The same, each end first moved to where neither 3 nor 4 is overwritten before it is read."""
    moved = [(kind, source, 50 + place) for place, (kind, source, _) in enumerate(ends)]
    return moved + [(kind, 50 + place, target) for place, (kind, _, target) in enumerate(ends)]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(Path(profile))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(made_up: tuple[list[StudyRecord], Callable[..., Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two studies, a claim that was not tested, a text run and an image run, with all of their pictures."""
    studies, make_run = made_up
    for study in studies:
        draw_study(study, observe(study), study.folder / "figures")
    capacity, _ = studies
    elsewhere = {"another": {**capacity.definition, "claims": {"G2": capacity.definition["claims"]["R1"]}}}
    text, image = make_run("text"), make_run("image", state="failed", reason="a long reason " * 30)
    draw_curves(read_run(text), text / "figures")
    images = np.random.default_rng(0).integers(0, 255, (6, 28, 28), dtype=np.uint8)
    for name in ("grid", "epoch_0025"):
        save_png(contact_sheet(images, 3), image / "samples" / f"{name}.png")
    save_animation(images, image / "samples" / "walk.gif")
    rows = make_ledger(studies, elsewhere).rows
    path = tmp_path_factory.mktemp("page") / "report.html"
    return write_page([read_run(text), read_run(image)], path, studies=studies, ledger=rows)


VIEWS = [(size, scheme) for size in (PHONE, DESK) for scheme in ("light", "dark")]
PICTURES = """Promise.all([...document.images].map(image => image.decode().catch(() => null)))
    .then(() => [...document.images].map(image => [image.alt, image.naturalWidth, image.naturalHeight]))"""
LOST_ANCHORS = """[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))
    .filter(href => !href.startsWith('#') || !document.getElementById(href.slice(1)))"""
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width && box.right > WIDTH + 0.5 && !element.closest('.scroll, thead');
}).map(element => element.outerHTML.slice(0, 120))"""


def _troubles(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the browser complained of: the console, the policy of the page, errors; and whatever it tried to load."""
    bad = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    return [event for event in events if event.get("method") in bad]


@pytest.mark.parametrize(("size", "scheme"), VIEWS, ids=[f"{size[0]}-{scheme}" for size, scheme in VIEWS])
def test_the_page_is_whole_on_every_screen(
    chromium: Chromium, page: Path, size: tuple[int, int], scheme: str, tmp_path: Path
) -> None:
    chromium.open(page, size, scheme)
    for opened in ("false", "true"):
        chromium.evaluate(f"document.querySelectorAll('details').forEach(each => each.open = {opened})")
        assert chromium.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert chromium.evaluate(TOO_WIDE.replace("WIDTH", str(size[0]))) == []
    pictures = chromium.evaluate(PICTURES)
    assert len(pictures) >= 6 + 4 + 2 + 3
    assert all(alt and width > 0 and height > 0 for alt, width, height in pictures)
    assert chromium.evaluate(LOST_ANCHORS) == []
    assert _troubles(chromium.events) == []
    with Image.open(chromium.screenshot(tmp_path / "page.png")) as image:
        colours = image.convert("RGB")
        assert colours.size == size
        corner = colours.getpixel((2, 2))
        assert isinstance(corner, tuple)
        assert (min(corner) > 230) if scheme == "light" else (max(corner) < 40)
        assert len(colours.getcolors(1 << 20) or []) > 50  # letters, not an empty page


def test_a_reader_without_a_mouse_gets_everywhere(chromium: Chromium, page: Path) -> None:
    chromium.open(page, DESK, "light")
    reachable = "a[href], summary, [tabindex='0']"
    wanted = chromium.evaluate(f'document.querySelectorAll("{reachable}").length')
    chromium.evaluate("window.reached = new Set(); document.addEventListener('focusin', e => reached.add(e.target))")
    for _ in range(wanted):
        chromium.press("Tab")
    closed = "details:not([open]) > :not(summary)"
    missed = f'[...document.querySelectorAll("{reachable}")].filter(e => !e.closest("{closed}") && !reached.has(e))'
    assert chromium.evaluate(f"{missed}.map(e => e.outerHTML.slice(0, 120))") == []
    assert chromium.evaluate("reached.size") > 20


def test_words_stand_out_from_their_ground(chromium: Chromium, page: Path) -> None:
    contrast = """(() => {
        const parts = colour => colour.match(/[0-9.]+/g).map(Number);
        const ground = element => {
            for (; element; element = element.parentElement) {
                const colour = parts(getComputedStyle(element).backgroundColor);
                if (colour.length < 4 || colour[3] > 0) return colour;
            }
        };
        const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const light = ([r, g, b]) => [r, g, b].map(c => linear(c / 255))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const ratio = (one, two) => (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        return [...document.querySelectorAll('body *')]
            .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && !e.closest('svg'))
            .map(e => [ratio(light(parts(getComputedStyle(e).color)), light(ground(e))), e.outerHTML.slice(0, 90)])
            .filter(([value]) => value < 4.5);
    })()"""
    for scheme in ("light", "dark"):
        chromium.open(page, DESK, scheme)
        assert chromium.evaluate(contrast) == []  # WCAG 2.1, AA: 4.5 to 1


def test_the_checks_above_can_fail(chromium: Chromium, page: Path, tmp_path: Path) -> None:
    broken = page.read_text(encoding="utf-8").replace(
        "</main>",
        "<p style='width: 200vw'>wide</p><a href='#nowhere'>lost</a><img src='data:image/png;base64,AAAA' alt='x'>"
        "<img src='http://localhost:9/y.png' alt='y'></main>",
    )
    (tmp_path / "broken.html").write_text(broken, encoding="utf-8")
    chromium.open(tmp_path / "broken.html", PHONE, "light")
    assert chromium.evaluate(TOO_WIDE.replace("WIDTH", str(PHONE[0])))
    assert chromium.evaluate("document.documentElement.scrollWidth") > PHONE[0]
    assert chromium.evaluate(LOST_ANCHORS) == ["#nowhere"]
    assert [alt for alt, width, _ in chromium.evaluate(PICTURES) if width == 0] == ["x", "y"]
    assert _troubles(chromium.events)  # the page's policy lets nothing in from elsewhere

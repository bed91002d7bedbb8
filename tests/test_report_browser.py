"""The page of `hetpmu report` in a headless Chromium: no error, no request, and all that it lets one do works."""

import json
import re

import numpy as np
import pytest

from simcore.app.lanes import lanes
from simcore.app.storing import load_runs
from simcore.loader import load_platform
from tests import tools
from tests.browser import Browser, chromium
from tests.report_dirs import KINDS, NEVER, PINNED, made, page

ERRORS = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
WIDE, PHONE = (1280, 900), (375, 800)
SHOWN = "[...document.querySelectorAll('.lane h3')].map((one) => one.textContent)"
VALUES = "[...document.querySelectorAll('.lane .values')].map((one) => one.textContent)"
RANGE = "plot.range"


@pytest.fixture(scope="module")
def browser():
    """Return a browser; skip where there is none."""
    program = chromium()
    if program is None:
        tools.unavailable("Chromium is not installed")
    with Browser(str(program)) as opened:
        opened.size(*WIDE)
        yield opened


@pytest.fixture
def compared(browser):
    """Return the browser with the page of a comparison."""
    browser.size(*WIDE)
    browser.open(page("compare"))
    return browser


def place(browser, selector, x=0.5, y=0.5):
    """Return a place within an element, in the view."""
    browser.js(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
    browser.settle()
    left, top, width, height = browser.js(
        f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
        "return [r.left, r.top, r.width, r.height]; })()"
    )
    return left + x * width, top + y * height


def click(browser, selector):
    """Click in the middle of an element."""
    spot = place(browser, selector)
    for kind in ("mousePressed", "mouseReleased"):
        browser.mouse(kind, *spot, button="left", clickCount=1)
    browser.settle()


def choose(browser, name, value):
    """Choose a value of a select element."""
    browser.js(
        f"(() => {{ const s = document.getElementById('{name}'); s.value = '{value}';"
        "s.dispatchEvent(new Event('change')); })()"
    )
    browser.settle()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_loads_without_an_error_or_a_request_and_fits_a_phone(browser, kind, dark):
    browser.size(*WIDE, dark=dark)
    browser.open(page(kind))
    browser.size(*PHONE, dark=dark)
    assert browser.js("document.documentElement.scrollWidth") == PHONE[0]
    assert [event for event in browser.events if event["method"] in ERRORS] == []
    asked = [
        event["params"]["request"]["url"] for event in browser.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked == [page(kind).as_uri()]


def test_no_script_of_another_runs_there(compared):
    compared.js(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.hit = 1';"
        "document.body.append(s); })()"
    )
    compared.js(
        "document.body.insertAdjacentHTML('beforeend', '<img src=http://x.invalid/a.png onerror=\"window.hit=1\">')"
    )
    compared.settle()
    assert compared.js("window.hit") is None
    assert any("Content Security Policy" in json.dumps(event) for event in compared.events)


def test_policies_and_vcpus_are_chosen(compared):
    names = compared.js(
        "[...document.querySelectorAll('[name=policy]')].map((one) => one.parentElement.textContent.trim())"
    )
    checked = compared.js("[...document.querySelectorAll('[name=policy]')].map((one) => one.checked)")
    assert compared.js(SHOWN) == [name for name, on in zip(names, checked, strict=True) if on]
    click(compared, "[name=policy]")
    assert names[0] not in compared.js(SHOWN)
    compared.js("document.querySelectorAll('[name=policy]:checked').forEach((one) => one.click())")
    assert compared.js("document.getElementById('lanes').textContent") == "No policy is chosen."
    click(compared, "[name=policy]")
    before = compared.js(VALUES)
    choose(compared, "plot-vcpu", 1 - int(compared.js("document.getElementById('plot-vcpu').value")))
    assert compared.js(SHOWN) == names[:1]
    assert compared.js(VALUES) != before


def test_what_the_cursor_is_over_is_what_the_tables_say(compared):
    vcpu = int(compared.js("document.getElementById('plot-vcpu').value"))
    names = compared.js("plot.data.policies")
    results = load_runs(made("compare"))
    platform = load_platform("rk3588")
    whole = dict(zip(names, (lane for run in results for lane in lanes(run, platform, vcpu)), strict=True))
    for where in (0.3, 0.62, 0.9):
        compared.mouse("mouseMoved", *place(compared, ".lane .u-over", where))
        compared.settle()
        first = float(compared.js(VALUES)[0].partition(" s")[0])
        assert first == pytest.approx(where * compared.js("plot.whole[1]"), abs=0.0015), "at a sample beside it"
        for name, told in zip(compared.js(SHOWN), compared.js(VALUES), strict=True):
            lane = whole[name]
            t_ns = round(float(told.partition(" s")[0]) * 1e9)
            at = int(np.searchsorted(lane.t_ns, t_ns))
            assert lane.t_ns[at] == t_ns, "the cursor keeps to samples"
            value = f"{lane.counted[at]:,}" if lane.enabled else "never enabled"
            assert f"PMCCNTR_EL0 {value} " in told + " "
            assert f"true {lane.true[at]:,} " in told + " "
            stalled = any(start <= t_ns < end for start, end in lane.stalls_ns)
            assert told.endswith("stalled") == stalled


def test_a_drag_zooms_in_on_all_lanes_and_a_double_click_shows_all(compared):
    whole = compared.js("plot.whole")
    compared.drag(place(compared, ".lane .u-over", 0.25), place(compared, ".lane .u-over", 0.5))
    low, high = compared.js(RANGE)
    assert (low / whole[1], high / whole[1]) == (pytest.approx(0.25, abs=0.01), pytest.approx(0.5, abs=0.01))
    scales = compared.js("plot.charts.map((one) => [one.scales.x.min, one.scales.x.max])")
    assert scales == [[low, high]] * len(scales)
    spot = place(compared, ".lane .u-over")
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            compared.mouse(kind, *spot, button="left", clickCount=count)
    compared.settle()
    assert compared.js(RANGE) is None


def test_the_vertical_axis_reaches_the_largest_value_and_no_call_gets_all_values(compared):
    """JavaScriptCore takes 65,536 arguments, less than a plot has values."""
    compared.js(
        "window.given = 0; window.max = Math.max;"
        "Math.max = (...all) => { given = max(given, all.length); return max(...all); }; plot.build();"
    )
    compared.settle()
    assert 0 < compared.js("given") < 20
    assert compared.js("plot.charts[0].data[1].length") > 20
    largest = "plot.charts.map((one) => one.data.slice(1).flat().reduce((a, b) => a > b ? a : b, 0))"
    top = max(compared.js(largest))
    assert top > 10**6
    assert compared.js("plot.ends[1]") == pytest.approx(1.08 * top)


def test_the_wheel_zooms_where_the_plot_has_the_focus(compared):
    spot = place(compared, ".lane .u-over", 0.4)
    compared.mouse("mouseWheel", *spot, deltaX=0, deltaY=-120)
    compared.settle()
    assert compared.js(RANGE) is None, "elsewhere it scrolls the page"
    compared.js("document.getElementById('lanes').focus()")
    compared.mouse("mouseWheel", *place(compared, ".lane .u-over", 0.4), deltaX=0, deltaY=-120)
    compared.wait("plot.range")
    low, high = compared.js(RANGE)
    assert (high - low) / compared.js("plot.whole[1]") == pytest.approx(0.8, abs=0.001)
    assert low < 0.4 * compared.js("plot.whole[1]") < high


def test_keys_zoom_and_walk_along_the_samples(compared):
    compared.js("document.getElementById('lanes').focus()")
    compared.press("+")
    assert compared.js("plot.range[1] - plot.range[0]") == pytest.approx(0.5 * compared.js("plot.whole[1]"))
    compared.press("PageDown")
    assert compared.js("plot.range[0]") == pytest.approx(0.5 * compared.js("plot.whole[1]"))
    compared.press("0")
    assert compared.js(RANGE) is None
    compared.press("End")
    last = compared.js(VALUES)
    compared.press("ArrowLeft")
    assert compared.js(VALUES) != last
    compared.press("ArrowRight")
    assert compared.js(VALUES) == last
    status = compared.js("document.getElementById('plot-status').textContent")
    assert status.startswith(compared.js(SHOWN)[0] + ": " + last[0])


def test_every_view_draws(compared):
    for view in ("lost", "rate", "clock", "cycles"):
        choose(compared, "plot-view", view)
        assert all(compared.js(VALUES))
    choose(compared, "plot-axis", "true")
    assert "true cycles (" in compared.js(VALUES)[0]
    assert [event for event in compared.events if event["method"] in ERRORS] == []


LABELS = """plot.charts.map((chart) => {
  const { ctx, bbox, width, axes: [below, beside] } = chart;
  ctx.font = "11px system-ui, sans-serif";
  const wide = (text) => ctx.measureText(text).width;
  const last = below._splits.at(-1);
  return {
    left: bbox.left, texts: beside._values, widest: Math.max(...beside._values.map(wide)),
    end: chart.valToPos(last, "x", true) + wide(below._values.at(-1)) / 2, width,
  };
})"""


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("zoomed", [False, True], ids=["all", "zoomed"])
def test_labels_of_the_axes_are_whole_and_lanes_stay_below_each_other(browser, size, zoomed):
    browser.size(*size)
    browser.open(page("compare"))
    browser.js(
        "Object.values(plot.data.lanes).flat().forEach((lane, n) => {"
        "lane.clock = { t: [1e7, 2e7, 4e7], c: [-500, n ? 0 : 700, 500] }; }); plot.cache.clear();"
    )
    for view in ("clock", "cycles", "rate"):
        choose(browser, "plot-view", view)
        if zoomed:
            browser.js("plot.show(plot.whole[1] * 0.4203, plot.whole[1] * 0.4213)")
        browser.settle()
        lanes_of_page = browser.js(LABELS)
        assert len(lanes_of_page) > 1
        assert len({lane["left"] for lane in lanes_of_page}) == 1
        for lane in lanes_of_page:
            assert lane["widest"] + 10 < lane["left"], lane
            assert lane["end"] <= lane["width"], lane
            assert len(set(lane["texts"])) == len(lane["texts"]), lane
        if view == "clock" and not zoomed:
            assert {"-500ppm", "+500ppm"} <= set(lanes_of_page[0]["texts"])


SAID = """(() => {
  const texts = [];
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
    texts.push(text);
    fillText.call(this, text, ...more);
  };
  plot.redraw();
  return new Promise((done) => setTimeout(() => {
    CanvasRenderingContext2D.prototype.fillText = fillText;
    done(texts);
  }, 100));
})()"""
BEYOND = r"""(() => {
  const [{ ctx, bbox }] = plot.charts;
  const [red, green, blue] = colour("stall").match(/\d+/g).map(Number);
  const right = Math.round(bbox.left + bbox.width) + 1;
  const { data } = ctx.getImageData(right, bbox.top, 12, bbox.height);
  let found = 0;
  for (let n = 0; n < data.length; n += 4) {
    found += Math.abs(data[n] - red) + Math.abs(data[n + 1] - green) + Math.abs(data[n + 2] - blue) < 30;
  }
  return found;
})()"""


def test_a_death_is_a_whole_cross_and_not_that_of_a_shadow(compared):
    names = compared.js("plot.data.policies")
    compared.js("document.querySelectorAll('[name=policy]:checked').forEach((one) => one.click())")
    number = next(place for place, name in enumerate(names) if name.startswith(PINNED))
    click(compared, f"[name=policy][value='{number}']")
    assert any(text.startswith("guest dies at") for text in compared.js(SAID))
    assert compared.js(BEYOND) > 20
    compared.js(f"plot.lane({number}).shadow_of = 'none@v8'; plot.build()")
    compared.settle()
    said = compared.js(SAID)
    assert any(re.fullmatch(r"the guest died at [\d.]+ s under none@v8", text) for text in said)
    assert not any("dies" in text or "division" in text for text in said)
    assert compared.js(BEYOND) == 0


def test_a_phone_shows_matrices_whole_and_rows_low(browser):
    browser.size(*PHONE)
    for kind in ("compare", "run"):
        browser.open(page(kind))
        cut = "[...document.querySelectorAll('.side .scroll')].map((one) => one.scrollWidth - one.clientWidth)"
        assert set(browser.js(cut)) == {0}
        rows = "[...document.querySelectorAll('tbody tr')].map((one) => one.getBoundingClientRect().height)"
        assert max(browser.js(rows)) < 110
        numbers = "[...document.querySelectorAll('tbody th.short')].map((one) => one.getBoundingClientRect().width)"
        assert max(browser.js(numbers)) < 60


def test_a_heading_sorts_its_table(compared):
    cells = (
        "[...document.querySelector('table.figures').tBodies[0].rows].map((row) => Number(row.cells[4].dataset.sort))"
    )
    ordered = sorted(compared.js(cells))
    click(compared, "table.figures thead th:nth-child(5) button")
    assert compared.js(cells) == ordered
    click(compared, "table.figures thead th:nth-child(5) button")
    assert compared.js(cells) == ordered[::-1]
    assert compared.js("document.querySelector('table.figures th[aria-sort]').ariaSort") == "descending"


def test_colours_follow_the_system_and_the_choice(browser):
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.size(*WIDE, dark=True)
    browser.open(page("run"))
    dark = browser.js(ground)
    click(browser, "[data-theme-choice=light]")
    light = browser.js(ground)
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(20, 23, 26)")
    click(browser, "[data-theme-choice=dark]")
    browser.size(*WIDE)
    assert browser.js(ground) == dark
    click(browser, "[data-theme-choice=auto]")
    assert browser.js(ground) == light


def test_the_plot_is_reached_by_the_keyboard(compared):
    def tab_to(name):
        seen: list[str] = []
        while name not in seen and len(seen) < 40:
            compared.press("Tab", windowsVirtualKeyCode=9, code="Tab")
            seen.append(compared.js("document.activeElement.id || document.activeElement.textContent.trim()"))
            assert compared.js("getComputedStyle(document.activeElement).outlineStyle") in ("solid", "auto")
        return seen

    compared.js("document.activeElement.blur()")
    assert tab_to("Plot") == ["Skip to the verdict", "auto", "light", "dark", "Figures", "Deaths", "Plot"]
    compared.press("Enter", windowsVirtualKeyCode=13, text="\r")
    seen = tab_to("lanes")
    assert seen[:3] == ["plot-vcpu", "plot-view", "plot-axis"]
    assert seen[-1] == "lanes"


def test_a_counter_that_was_never_enabled_is_no_loss(browser):
    browser.size(*WIDE)
    browser.open(page(NEVER))
    for view in ("cycles", "lost", "rate"):
        choose(browser, "plot-view", view)
        values = browser.js(VALUES)
        assert values
        assert all("PMCCNTR_EL0 never enabled" in text and "counted" not in text for text in values)

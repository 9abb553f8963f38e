"""The page in a real browser: nothing is loaded, nothing complained about, and what can be touched works."""

import json
import re

import pytest
from page_reader import pixels


@pytest.fixture
def opened(sst, browser, run, cohort, tmp_path):
    """``opened(name, width, dark)`` -> the browser with a page: 'translation' or 'evaluation'."""
    from selenium.webdriver.support.ui import WebDriverWait

    def show(name="translation", width=1280, dark=False):
        report = run / "report.json" if name == "translation" else cohort / "r.json"
        page = tmp_path / f"{name}.html"
        assert sst("report", report, "--output", page).code == 0
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        browser.get("about:blank")
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(page.as_uri())
        # Sheets are decoded when their viewer comes near the window.
        browser.execute_script("document.querySelector('.viewer').scrollIntoView()")
        WebDriverWait(browser, 20).until(lambda _: max(pixels(browser, 0)) > 0)
        return browser

    return show


@pytest.mark.parametrize("name", ["translation", "evaluation"])
@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser_nothing_is_loaded_and_nothing_complained_about(opened, name, width):
    browser = opened(name, width, dark=width == 400)
    # A page whose pixels another test has read gets advice on reading them faster; the page itself reads none.
    assert [entry for entry in browser.get_log("browser") if "getImageData" not in entry["message"]] == []
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [each["params"]["request"]["url"] for each in requests if each["method"] == "Network.requestWillBeSent"]
    assert len([url for url in urls if url.startswith("file:")]) == 1, urls
    assert all(url.startswith(("file:", "data:", "about:")) for url in urls), urls
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    light = sum(int(part) for part in re.findall(r"\d+", background)[:3]) > 380
    assert light == (width == 1280), "follows the system's preference"


def test_in_a_browser_slices_scroll_and_fade(opened):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser = opened()
    viewer = browser.find_element(By.CLASS_NAME, "viewer")

    def readout():
        return browser.find_element(By.TAG_NAME, "output").text

    assert readout().startswith("Slice 6 of 10")
    before = pixels(browser, 0)
    viewer.send_keys(Keys.ARROW_RIGHT)
    assert readout().startswith("Slice 7 of 10") and pixels(browser, 0) != before
    viewer.send_keys(Keys.HOME)
    assert readout().startswith("Slice 1 of 10")
    viewer.send_keys(Keys.END, Keys.PAGE_DOWN)
    assert readout().startswith("Slice 5 of 10")
    browser.find_element(By.CLASS_NAME, "previous").click()
    assert readout().startswith("Slice 4 of 10")
    slider = browser.find_element(By.CLASS_NAME, "slice")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert readout().startswith("Slice 5 of 10") and "Slice 5" in slider.get_attribute("aria-valuetext")
    # One click goes to the worst slice.
    button = browser.find_element(By.CSS_SELECTOR, "button[data-slice]")
    button.click()
    worst = int(button.get_attribute("data-slice")) + 1
    assert readout().startswith(f"Slice {worst} of 10") and f"slice {worst} " in button.text
    mark = browser.find_element(By.CSS_SELECTOR, ".plot b")
    assert mark.is_displayed() and mark.get_attribute("style") == f"left: {100 * (worst - 0.5) / 10:g}%;"
    # Fade: at 0 the input alone, at 100 the translation alone.
    middle = viewer
    middle.send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 4)
    source, translation = pixels(browser, 0), pixels(browser, 1)
    viewer.send_keys("f")
    faded = len(browser.find_elements(By.TAG_NAME, "canvas")) - 1
    assert not browser.find_element(By.CLASS_NAME, "panes").is_displayed()
    mix = browser.find_element(By.CLASS_NAME, "mix")
    mix.send_keys(Keys.HOME)
    assert pixels(browser, faded) == source
    mix.send_keys(Keys.END)
    assert pixels(browser, faded) == translation and source != translation
    viewer.send_keys("f")
    assert browser.find_element(By.CLASS_NAME, "panes").is_displayed()


def test_in_a_browser_fingers_and_curves_work(opened):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
    from selenium.webdriver.common.actions.pointer_input import PointerInput
    from selenium.webdriver.common.by import By

    browser = opened("translation", 400)
    output = browser.find_element(By.TAG_NAME, "output")
    canvas = browser.find_element(By.TAG_NAME, "canvas")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    assert output.text.startswith("Slice 6 ")
    touch = ActionBuilder(browser, mouse=PointerInput(POINTER_TOUCH, "finger"))
    touch.pointer_action.move_to(canvas, -40, 0).pointer_down().move_to(canvas, 0, 0).move_to(canvas, 20, 0)
    touch.pointer_action.pointer_up()
    touch.perform()
    assert int(output.text.split()[1]) > 6, output.text
    area = browser.find_element(By.CSS_SELECTOR, ".plot .area")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", area)
    ActionChains(browser).move_to_element_with_offset(area, -area.size["width"] // 2 + 12, 0).click().perform()
    assert output.text.startswith("Slice 1 "), output.text


def test_in_a_browser_paper_shows_still_pictures(opened):
    from selenium.webdriver.common.by import By

    browser = opened("evaluation")
    still, viewer = browser.find_element(By.CLASS_NAME, "still"), browser.find_element(By.CLASS_NAME, "viewer")
    assert viewer.is_displayed() and not still.is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert still.is_displayed() and not viewer.is_displayed()
        assert browser.execute_script("return document.querySelector('.still img').naturalWidth") > 0
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

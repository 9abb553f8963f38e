"""Real runs of a tiny model to make pages of, and a browser to open them in."""

import shutil

import pytest

from surgical_style_engine.imageio.write import write_volume


@pytest.fixture(scope="session")
def run(tmp_path_factory, head_volume, tiny_model):
    """A folder with a real run of a tiny model: SMITH_JOHN_T1.nrrd, its translation, maps, and report.json."""
    from training_cli.main import main

    folder = tmp_path_factory.mktemp("run")
    write_volume(head_volume(), folder / "SMITH_JOHN_T1.nrrd")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                str(word)
                for word in (
                    "translate",
                    folder / "SMITH_JOHN_T1.nrrd",
                    folder / "SMITH_JOHN_T2.nrrd",
                    "--model",
                    tiny_model,
                    "--device",
                    "cpu",
                    "--report",
                    folder / "report.json",
                    "--maps",
                    folder / "maps",
                    "--progress",
                    "none",
                )
            ]
        )
    assert not ended.value.code
    return folder


@pytest.fixture(scope="session")
def cohort(tmp_path_factory, head_volume, tiny_model):
    """The report of `sst evaluate` on two volumes with references on their own grids, maps kept."""
    from training_cli.main import main

    folder = tmp_path_factory.mktemp("cohort")
    for name in ("t1", "t2"):
        (folder / name).mkdir()
    for number in (1, 2):
        volume = head_volume(number, (12, 48, 48))
        write_volume(volume, folder / "t1" / f"p{number}_T1.nii.gz")
        second = volume.with_array((900 - volume.array) * (volume.array > 0))
        write_volume(second, folder / "t2" / f"p{number}_T2.nii.gz")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                str(word)
                for word in (
                    "evaluate",
                    "--model",
                    tiny_model,
                    "--source",
                    folder / "t1",
                    "--reference",
                    folder / "t2",
                    "--device",
                    "cpu",
                    "--report",
                    folder / "r.json",
                    "--maps",
                    folder / "maps",
                    "--progress",
                    "json",
                )
            ]
        )
    assert not ended.value.code
    return folder


FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium behind its driver, with its console and network recorded; skips where it is not installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("Chromium and its driver are not installed (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()

"""What files are called on the page, and that an anonymous one names none."""

from page_reader import page_of

from surgical_style_engine.app.report import new_report, read_report, write_report
from training_cli.report_page.names import Names
from training_cli.report_page.page import build_page


def test_anonymous_pages_name_no_file(sst, run, tmp_path):
    report = read_report(run / "report.json")
    report["warnings"] = [
        "SMITH_JOHN_T1.nrrd: odd.",
        f"{run}/SMITH_JOHN_T2.nrrd is odd.",
        "SMITH_JOHN_T1 has a T1w look.",
    ]
    report["failed"] = [{"input": f"{run}/MEIER.nii.gz", "reason": f"The file {run}/MEIER.nii.gz is damaged."}]
    write_report(run / "named.json", report)
    text = (build_page(report, run / "named.json", anonymous=True)).lower()
    for part in ("smith", "john", "meier", str(run).lower(), "named.json"):
        assert part not in text, part
    page = page_of(sst, run / "named.json", "--anonymous", to=tmp_path / "anonymous.html")
    assert "volume 1: odd." in page.text and "output 1 is odd." in page.text
    assert "volume 1 has a T1w look." in page.text and "The file volume 2 is damaged." in page.text
    assert len(page.viewers) == 1, "the pictures stay"
    assert "Tiny, tiny" in page.text, "and so does the model's name"
    named = page_of(sst, run / "named.json")
    assert "MEIER.nii.gz could not be translated" in named.text.replace(" :", ":")


def test_names():
    report = new_report(inputs=["/a/SMITH/t1.nii.gz", "D:\\scans\\Müller T2.nrrd"], output="/a/SMITH/t1_out.nii.gz")
    report["fusion"] = {"registrations": [{"input": "Müller T2.nrrd"}]}
    plain, hidden = Names(report), Names(report, anonymous=True)
    sentence = "/a/SMITH/t1.nii.gz and Müller T2.nrrd made t1_out; t1 is not t1w."
    assert plain.text(sentence) == "t1.nii.gz and Müller T2.nrrd made t1_out; t1 is not t1w."
    assert hidden.text(sentence) == "volume 1 and volume 2 made output 1; volume 1 is not t1w."
    stray = "See /data/MEIER/a b.txt, C:\\scans\\MEIER\\x and MEIER.nii.gz; 3/255 and his/her stay."
    assert plain.text(stray) == "See a b.txt, x and MEIER.nii.gz; 3/255 and his/her stay."
    assert "MEIER" not in hidden.text(stray) and "3/255 and his/her stay." in hidden.text(stray)
    assert hidden.of("Müller T2.nrrd") == "volume 2" and plain.of("D:\\scans\\Müller T2.nrrd") == "Müller T2.nrrd"

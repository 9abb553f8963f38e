"""The lesion ledger on the page and in the terminal."""

from training_cli.report_page.lesion_tables import COLUMNS, lesion_rows, lesion_sentence
from training_cli.report_page.tables import tables_of

ROW = {"found": 1, "weakened": 2, "lost": 3, "unseen": 4, "invented": 5}
LEDGER = {
    **ROW,
    "by_diameter": [{"from_mm": 3.0, "to_mm": 5.0, **ROW}, {"from_mm": 20.0, "to_mm": None, **ROW}],
    "contrast_kept": 0.25,
    "invented_per_100_ml": 0.5,
    "polarity": "bright",
    "region_ml": 1000.0,
}


def test_a_row_a_class_and_one_for_all():
    rows = lesion_rows(LEDGER)
    assert [row.name for row in rows] == ["3 to 5 mm", "20 mm and more", "All"]
    assert rows[0].cells == ["1", "2", "3", "4", "5"] and len(COLUMNS) == 5


def test_the_sentence():
    text = lesion_sentence(LEDGER)
    assert "25% of a visible lesion's contrast" in text and "0.50 bright spots per 100 ml" in text
    assert "%" not in lesion_sentence({**LEDGER, "contrast_kept": None})


def test_the_page_warns_of_lost_lesions():
    tables = tables_of({"lesions": LEDGER})
    assert [table.title for table in tables.tables] == ["Lesions by diameter"]
    assert tables.warnings == ["3 of 6 visible lesions cannot be seen in the translation."]
    assert tables_of({"lesions": {**LEDGER, "lost": 0}}).warnings == [] and tables_of({}).tables == []

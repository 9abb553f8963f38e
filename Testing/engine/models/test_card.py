"""A card is read and checked without running anything, and says what is wrong in one sentence."""

import json

import pytest
from model_folders import change, refusal
from tiny_models import make_tiny_many

from surgical_style_engine.models import card as model_card
from surgical_style_engine.models.card import ModelCard
from surgical_style_engine.models.folder import load_model


class TestCards:
    @pytest.mark.parametrize("version", [3, 0, None, "1", 1.5, [1]])
    def test_other_schema_versions(self, folder, version):
        sentence = refusal(load_model, change(folder, schema_version=version))
        assert sentence == f"The model tiny has schema version {version}; this program reads versions 1 and 2."

    def test_domains_of_the_other_version(self, folder):
        assert refusal(load_model, change(folder, schema_version=2)).endswith("of schema version 2, and only that.")

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"\xff\xfe\x00", b"\x89PNG\r\n", b'{"schema_version": 1,}', b"[" * 100_000, b'{"a":' * 100_000],
        ids=["empty", "open", "bytes", "png", "comma", "deep list", "deep table"],
    )
    def test_no_json(self, folder, content):
        (folder / "model.json").write_bytes(content)
        assert refusal(load_model, folder) == f"The model card {folder / 'model.json'} is not valid JSON."

    @pytest.mark.parametrize("content", ["[]", "3", '"x"', "null", "true"])
    def test_no_table(self, folder, content):
        (folder / "model.json").write_text(content)
        assert refusal(load_model, folder).endswith("is not a table.")

    def test_a_card_too_large_is_not_even_read(self, folder):
        """Valid otherwise: only blanks are added."""
        path = folder / "model.json"
        text = path.read_text()
        path.write_text(text.ljust(model_card.LARGEST_CARD))
        assert load_model(folder).card.name == "tiny"
        path.write_text(text.ljust(model_card.LARGEST_CARD + 1))
        assert refusal(load_model, folder).endswith("is too large to be one.")

    @pytest.mark.parametrize(
        ("values", "place"),
        [
            ({"name": "../evil"}, "name"),
            ({"name": ".hidden"}, "name"),
            ({"name": "a/b"}, "name"),
            ({"name": "x" * 65}, "name"),
            ({"name": "two\nlines"}, "name"),
            ({"spacing_mm": 0}, "spacing_mm"),
            ({"spacing_mm": float("nan")}, "spacing_mm"),
            ({"spacing_mm": float("inf")}, "spacing_mm"),
            ({"stack_spacing_mm": float("inf")}, "stack_spacing_mm"),
            ({"stack": 2}, "stack"),
            ({"stack": -1}, "stack"),
            ({"stack": 10**9 + 1}, "stack"),
            ({"plane": "oblique"}, "plane"),
            ({"directions": []}, ""),
            ({"directions": ["forward", "forward"]}, ""),
            ({"directions": ["sideways"]}, "directions"),
            ({"surprise": 1}, "surprise"),
            ({"domains__source__surprise": 1}, "domains.source.surprise"),
            ({"domains__source__channels": 2}, "domains.source.channels"),
            ({"domains__source__normalization": {"kind": "pickle"}}, "domains.source.normalization"),
            ({"domains__source__inverse__high": -1}, "domains.source.inverse"),
            ({"domains__target__inverse__low": float("inf")}, "domains.target.inverse"),
            ({"domains__source__statistics": {"histograms": "abc"}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"histograms": [[0.5, "x"]]}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"histograms": [[0.5], [0.5, 0.5]]}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"histograms": [[]]}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"histograms": [[float("nan")]]}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"usual_distance": "far"}}, "domains.source.statistics"),
            ({"weights__file": "../../weights.safetensors"}, "weights.file"),
            ({"weights__file": "weights.pkl"}, "weights.file"),
            ({"weights__sha256": "0"}, "weights.sha256"),
            ({"weights__bytes": 0}, "weights.bytes"),
            ({"weights__bytes": "many"}, "weights.bytes"),
            ({"architecture": {"arguments": {}}}, "architecture.name"),
        ],
    )
    def test_values_that_cannot_be(self, folder, values, place):
        sentence = refusal(load_model, change(folder, **values))
        assert f"{folder / 'model.json'} is wrong at '{place}" in sentence

    def test_no_weights_named(self, folder):
        assert refusal(load_model, change(folder, weights=None)).endswith("names no weights.")

    def test_statistics_for_people_are_free(self, folder):
        statistics = {"histograms": [], "usual_distance": 0, "raw_p99": [1, 2], "slice_mm": None}
        assert load_model(change(folder, domains__source__statistics=statistics)).card.domains.source.statistics


def test_the_card_is_a_schema_other_programs_can_check():
    schema = ModelCard.model_json_schema()
    assert schema["additionalProperties"] is False and schema["properties"]["schema_version"]["enum"] == [1, 2]


class TestManyDomains:
    @pytest.fixture
    def many(self, tmp_path):
        return make_tiny_many(tmp_path)

    def test_the_file_lists_its_domains(self, many):
        values = json.loads((many / "model.json").read_text())
        assert values["schema_version"] == 2 and [domain["name"] for domain in values["domains"]] == [
            "T1w",
            "T2w",
            "FLAIR",
        ]
        card = load_model(many).card
        assert ModelCard.model_validate(json.loads(card.model_dump_json())) == card

    @pytest.mark.parametrize(
        ("values", "part"),
        [
            ({"schema_version": 1}, "a list of domains is of schema version 2, and only that"),
            ({"directions": ["forward"]}, "has no direction 'forward'"),
            ({"directions": ["T1w>T1w"]}, "T1w is among the inputs already"),
            ({"directions": []}, "must not be empty"),
            ({"domains": []}, "a list of domains has 2 to 10"),
        ],
    )
    def test_what_cannot_be(self, many, values, part):
        assert part in refusal(load_model, change(many, **values))

    @pytest.mark.parametrize("name", ["T2w", "A+B", "A>B", ""])
    def test_names_that_routes_cannot_name(self, many, name):
        values = json.loads((many / "model.json").read_text())
        values["domains"][0]["name"] = name
        del values["directions"]
        (many / "model.json").write_text(json.dumps(values))
        assert "names of their own, without + and >" in refusal(load_model, many)

    def test_a_card_of_two_domains_has_no_more(self, folder):
        values = json.loads((folder / "model.json").read_text())
        values["domains"]["many"] = [values["domains"]["source"]] * 2
        (folder / "model.json").write_text(json.dumps(values))
        assert "many domains are a list" in refusal(load_model, folder)

    def test_weights_are_checked_for_every_route_at_once(self, many):
        load_model(many).check_weights()
        model = load_model(many)
        assert model.weights("T1w>T2w")[1].keys() == model.weights("T1w+FLAIR>T2w")[1].keys()

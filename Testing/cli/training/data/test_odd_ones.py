"""Which volume of a domain is named before a training begins."""

from recognise_volumes import verdict

from training_cli.training.data.odd_ones import odd_ones


def domain(*kinds, name="T1w", **fields):
    named = [(f"p{number}.nrrd", verdict(kind, **fields)) for number, kind in enumerate(kinds)]
    return odd_ones(named, "source", name, "MR")


def test_one_of_another_contrast_is_named():
    assert domain("T1w", "T1w", "T2w", "T1w", "") == [
        "source p2.nrrd is T2w, by its voxels, but 3 of the 4 volumes that were recognised are T1w."
    ]


def test_all_alike_or_unknown_say_nothing():
    assert domain("T1w", "T1w", "T1w") == [] and domain("", "", "") == [] and domain("FLAIR", "FLAIR", name="B") == []


def test_a_domain_of_another_contrast_than_its_name():
    assert domain("T2w", "T2w", "T2w") == ["The source domain is called T1w, but 3 of 3 volumes are T2w."]


def test_without_a_majority_the_name_decides():
    sentences = domain("T1w", "T2w")
    assert sentences == ["source p1.nrrd is T2w, by its voxels, but the domain is called T1w."]
    assert domain("T1w", "T2w", name="scanner A") == []


def test_t1w_with_and_without_contrast_agent():
    assert domain("T1w", "T1w", "T1w-Gd") == ["The source domain mixes T1w (p1.nrrd) and T1w-Gd (p2.nrrd)."]
    assert domain("T1w", "T1w", "T1w-Gd", agent_known=False) == []


def test_many_are_counted():
    assert domain(*["T1w"] * 30, *["T2w"] * 10)[-1] == "2 more volumes of the source domain are odd in the same way."


def test_synthetic_volumes_are_told():
    assert domain("T1w", "T1w", synthetic="its header") == [
        "2 volumes of the source domain are synthetic, p0.nrrd among them."
    ]

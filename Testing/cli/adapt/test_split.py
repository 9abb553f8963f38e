"""What is kept aside is a range of its own, with a gap, or a whole volume; too little is refused."""

import numpy as np
import pytest

from surgical_style_engine.errors import InputError
from training_cli.adapt.split import keep_aside, split_slices
from training_cli.training.data.items import CachedItem, TrainingData


def item(name, path, count=40, slice_mm=4.0):
    return CachedItem(name, path, slice_mm, np.arange(count), (0, 8, 0, 8), {}, {})


@pytest.mark.parametrize(("count", "slice_mm", "context"), [(40, 3.0, 1), (120, 1.0, 3), (13, 5.0, 0), (17, 4.0, 2)])
def test_a_contiguous_range_with_a_gap_on_both_sides(count, slice_mm, context):
    body = np.arange(5, 5 + count)
    split = split_slices(body, slice_mm, context)
    assert np.all(np.diff(split.aside) == 1) and len(split.aside) == max(3, round(count / 4))
    assert split.gap >= context and split.gap * slice_mm >= 6.0
    distances = np.abs(split.learned[:, None] - split.aside[None])
    assert distances.min() == split.gap + 1
    # Learned from on both sides, and nothing is lost but the gaps.
    assert split.learned[0] < split.aside[0] and split.learned[-1] > split.aside[-1]
    assert len(split.learned) + len(split.aside) + 2 * split.gap == count


def test_too_few_slices_are_refused():
    with pytest.raises(InputError, match="Only 12 slices .* adapting takes 13"):
        split_slices(np.arange(12), 4.0)


def test_of_one_pair_slices_and_of_several_the_last():
    pairs = [(item(f"a{n}", f"a{n}"), item(f"b{n}", f"b{n}")) for n in range(3)]
    everything = TrainingData([a for a, _ in pairs], [b for _, b in pairs], pairs)
    learned, aside = keep_aside(everything, 3.0, paired=True)
    assert aside.kind == "volumes" and aside.numbers == (2,) and aside.gap == 0 and aside.slices == 40
    assert [a.name for a, _ in learned.pairs] == ["a0", "a1"] and aside.data.pairs == pairs[2:]
    one = TrainingData([pairs[0][0]], [pairs[0][1]], pairs[:1])
    learned, aside = keep_aside(one, 3.0, paired=True)
    assert aside.kind == "slices" and aside.slices == 10 and aside.gap == 2
    (left, right), (kept, _) = learned.pairs[0], aside.data.pairs[0]
    assert np.array_equal(left.body, right.body) and not np.intersect1d(left.body, kept.body).size
    # Statistics of the card are of what was learned from alone.
    assert learned.source == [left] and learned.target == [right]


def test_without_pairs_nothing_that_shows_what_is_kept_aside_is_learned_from():
    sources, targets = [item("s1", "s1"), item("s2", "s2")], [item("t1", "t1"), item("t2", "t2")]
    laid = [(s, item(f"{t.name} laid on {s.name}", f"{t.name}{s.name}")) for s in sources for t in targets]
    learned, aside = keep_aside(TrainingData(sources, targets, [], pseudo_pairs=laid), 3.0, paired=False)
    assert [b.name for _, b in learned.pseudo_pairs] == ["t1 laid on s1"]
    assert [b.name for _, b in aside.data.pseudo_pairs] == ["t1 laid on s2", "t2 laid on s2"]
    assert (learned.source, learned.target) == (sources[:1], targets[:1])
    alone = TrainingData(sources[:1], targets, [], pseudo_pairs=laid[:2])
    learned, aside = keep_aside(alone, 3.0, paired=False)
    assert aside.kind == "slices" and len(learned.pseudo_pairs) == len(aside.data.pseudo_pairs) == 2
    for (a, _), (b, _) in zip(learned.pseudo_pairs, aside.data.pseudo_pairs, strict=True):
        assert not np.intersect1d(a.body, b.body).size and len(b.body) == 10

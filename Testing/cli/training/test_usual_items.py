"""What a trained model's card keeps of the looks of its training volumes."""

import numpy as np
import pytest
from recognise_volumes import head

from surgical_style_engine.inference.fit.usual import unusual_distance
from surgical_style_engine.volumes.recognise.network import shipped
from surgical_style_engine.volumes.recognise.voxels import look_at
from training_cli.training.data.items import CachedItem
from training_cli.training.usual_items import usual_of_items


@pytest.fixture
def items(tmp_path):
    """``items(count, channels)``: preprocessed heads of so many patients."""

    def make(count, channels=1):
        stored = []
        for seed in range(count):
            array = np.clip(head(seed=seed).array / 450 - 1, -1, 1).astype(np.float16)
            path = tmp_path / f"{seed}-{channels}.npy"
            np.save(path, np.repeat(array, channels, axis=0))
            stored.append(CachedItem(f"p{seed}", path, 2.0, np.arange(90), (0, 90, 0, 90), {}, {}))
        return stored

    return make


def test_a_volume_like_the_others_is_usual_and_an_inverted_one_is_not(items):
    statistics = usual_of_items(items(5), 2.0)
    assert statistics["patients"] == 5
    digest = shipped().digest
    distance, limit = unusual_distance(look_at(head(seed=9)).embedding, statistics, digest)
    other = head(seed=9)
    inverted = other.with_array(np.where(other.array > 100, 1100 - other.array, other.array))
    assert unusual_distance(look_at(inverted).embedding, statistics, digest)[0] > 2 * max(distance, limit)


def test_pictures_and_few_volumes_say_nothing(items):
    assert usual_of_items(items(3), 2.0) is None and usual_of_items(items(5, channels=3), 2.0) is None

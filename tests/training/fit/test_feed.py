"""The input of fine-tuning: what a seed promises, and what is read."""

import numpy as np
import pytest

from training.data.view import MIRRORED, PLAIN
from training.fit.features import Extractor
from training.fit.feed import feed, input_name, plan_epoch
from training.network.head import Tap

TAP = Tap("expanded_conv_1", "deviation")


@pytest.fixture
def views(drawn_clips, small_backbone, feature_cache):
    extractor = Extractor(small_backbone, [Tap("top"), TAP], feature_cache, cut="expanded_conv_5")
    return [extractor.extract(drawn_clips, view) for view in (PLAIN, MIRRORED)]


def test_the_same_seed_gives_the_same_batches_and_another_gives_others(views):
    targets, weights = np.eye(18, 3, dtype=np.float32), np.ones(18)

    def read(*seed):
        plan = plan_epoch(views, np.arange(18), batch=5, frames=2, seed=seed)
        return list(feed(plan, views, [TAP], targets, weights).as_numpy_iterator())

    one, same, other, later = read(3, 0), read(3, 0), read(4, 0), read(3, 1)

    assert len(one) == 3  # full batches only
    for (inputs, wanted, _), (again, wanted_again, _) in zip(one, same, strict=True):
        np.testing.assert_array_equal(inputs["maps"], again["maps"])
        np.testing.assert_array_equal(wanted, wanted_again)
    assert not np.array_equal(one[0][0]["maps"], other[0][0]["maps"])
    assert not np.array_equal(one[0][0]["maps"], later[0][0]["maps"])


def test_a_batch_holds_what_the_plan_says(views):
    targets, weights = np.eye(18, dtype=np.float32), np.arange(18.0)
    plan = plan_epoch(views, np.arange(4, 16), batch=6, frames=3, seed=(0, 0))

    batches = list(feed(plan, views, [TAP], targets, weights).as_numpy_iterator())

    assert sorted(plan.clips) == list(range(4, 16))
    for number, place in enumerate(plan.clips):
        inputs, wanted, weight = batches[number // 6]
        view, frames, at = views[plan.views[number]], plan.frames[number], number % 6
        np.testing.assert_array_equal(inputs["maps"][at], np.load(view.maps[place])[frames])
        np.testing.assert_array_equal(inputs[input_name(TAP)][at], view.taps[TAP][place][frames])
        assert wanted[at].argmax() == place
        assert weight[at] == place

"""Several looks at a clip: one training, the mean of the logits."""

import numpy as np

from training.data.view import MIRRORED, PLAIN, View
from training.evaluation.looks import SeveralLooks
from training.fit.options import FitOptions
from training.fit.trainer import Trainer


def test_the_answer_is_the_mean_of_the_answers_to_each_look(
    drawn_clips, small_backbone, feature_cache, tmp_path
):
    options = FitOptions(backbone="MobileNetV3Small", mirror=False)
    trainer = Trainer(drawn_clips, options, feature_cache, backbone=small_backbone)
    looks = (PLAIN, MIRRORED, View(crop=1))
    several = SeveralLooks(trainer, looks, tmp_path)

    trained = several.train(np.arange(12), tmp_path / "anywhere" / "fold00")
    judged = drawn_clips.choose(np.arange(12, 18))
    answer = several.answer(trained, judged)

    each = [trainer.answer(trained, judged, look) for look in looks]
    np.testing.assert_allclose(answer.logits, np.mean([one.logits for one in each], axis=0), rtol=1e-6)
    assert not np.allclose(each[0].logits, each[1].logits)
    np.testing.assert_array_equal(answer.embedding, each[0].embedding)

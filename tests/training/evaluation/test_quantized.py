"""A trainer whose models answer in int8."""

import keras
import numpy as np

from training.evaluation.quantized import Quantized
from training.fit.options import FitOptions
from training.fit.trainer import Trainer
from training.network.backbone import load_backbone


def test_it_learns_as_the_trainer_does_and_answers_nearly_the_same(
    drawn_clips, small_backbone, feature_cache, tmp_path
):
    options = FitOptions(backbone="MobileNetV3Small", mirror=False)
    trainer = Trainer(drawn_clips, options, feature_cache, backbone=small_backbone)

    def fresh():
        keras.utils.set_random_seed(0)
        return load_backbone("MobileNetV3Small", weights=None)

    quantized = Quantized(trainer, tmp_path, fresh=fresh)
    learned, judged = np.arange(12), drawn_clips.choose(np.arange(12, 18))

    trained = quantized.train(learned, tmp_path / "anywhere" / "fold00")
    answer = quantized.answer(trained, judged)

    exact = trainer.answer(trained, judged)
    assert answer.frame_logits.shape == exact.frame_logits.shape == (6, 10, 3)
    np.testing.assert_allclose(np.exp(answer.frame_logits).sum(axis=-1), 1, rtol=1e-4)
    np.testing.assert_allclose(answer.probabilities, exact.probabilities, atol=0.1)
    assert not np.array_equal(answer.probabilities, exact.probabilities)

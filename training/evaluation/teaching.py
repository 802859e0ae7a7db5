"""Measures how well a library teaches a show: every show in turn is left out of training and taught by GIFs.

For each show and fold a model learns from the clips of the other folds that are not of the show. Some of the
show's clips in these folds then teach it, as those of a library do, and the clips of the fold are judged. So
neither the model nor the taught clips share a source with a clip that is judged.

The models of a fold differ in few clips, so their ridge regressions are solved in the space of clips: the
products of all pairs of clips are computed once for a fold. All its models therefore standardise their inputs
alike, by all clips of the other folds; no label takes part in that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from rich.console import Console

from services.files import replacing, write_text
from services.inference import Verdict
from services.inference.library import TaughtShows, TeachingBase
from services.preprocess import PIXELS_VERSION
from training.data.augment import AUGMENT_VERSION
from training.data.clips import Clips
from training.data.splits import components
from training.errors import InvalidOptions
from training.evaluation.levels import verdicts_in_folds
from training.files import write_json
from training.fit.crossvalidate import ALWAYS, PLAIN, HeldOut, run_name
from training.fit.operating import Operating, find_operating
from training.fit.trainer import RIDGE_OTHERS, Trainer, clip_weights, fit_parts, short_embeddings
from training.network.head import frame_vectors
from training.statistics.estimate import Bootstrap, Estimate, Statistic, weighted_mean
from training.statistics.plots import BLUE, INK, ORANGE, SKY, drawing, title
from training.statistics.report import Result, Table, columns, decimal

GIFS = (1, 3, 5, 10)  # that teach a show
DRAWS = 3  # choices of these GIFs for each show, fold and number
# Part of the name of the kept models; raise it when they hold something else.
MODELS_VERSION = 1

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Taught:
    """The answers when a show was left out of training and taught by some GIFs.

    Attributes:
        gifs: that taught it; fewer where the other folds have fewer of the show.
        recall: share of the show's clips that are ranked as the show, mean of the shows.
        share: `recall` divided by the recall that training on the show gives.
        named: share of the show's clips whose verdict names the show, mean of the shows.
        lost: top-1 accuracy on the other shows before the show was taught, less that afterwards.
        called_known: share of the clips of other things for which shows are named, less that before.
    """

    gifs: int
    recall: Estimate
    share: Estimate
    named: Estimate
    lost: Estimate
    called_known: Estimate


@dataclass(frozen=True)
class ShowRecall:
    """One show.

    Attributes:
        show: title.
        clips: number of its clips.
        trained: recall from training on it.
        taught: recall for each number of GIFs.
    """

    show: str
    clips: int
    trained: float
    taught: tuple[float, ...]


@dataclass(frozen=True)
class TeachingReport(Result):
    """Taught shows beside trained ones, on the same clips.

    Attributes:
        recipe: that was judged.
        clips: number of clips of the shows.
        others: number of clips of other things.
        draws: choices of GIFs for each show, fold and number.
        trained: recall of a show that the model was trained for, mean of the shows.
        trained_named: share of a show's clips whose verdict names the show, mean of the shows.
        known_before: share of the clips of other things for which shows are named, if none is taught.
        taught: one entry for each number of GIFs.
        shows: one entry for each show, by title.
    """

    recipe: str
    clips: int
    others: int
    draws: int
    trained: Estimate
    trained_named: Estimate
    known_before: Estimate
    taught: tuple[Taught, ...]
    shows: tuple[ShowRecall, ...]

    def tables(self) -> tuple[Table, ...]:
        """One row for each number of GIFs, and one for each show."""
        summary = Table(
            "Shows taught by a library",
            columns(
                *("taught by", "recall", "of that from training", "named"),
                *("top-1 lost on other shows", "other things called known"),
                text=["taught by"],
            ),
            (
                *(
                    (
                        f"{each.gifs} GIF{'s' if each.gifs > 1 else ''}",
                        *map(str, (each.recall, each.share, each.named)),
                        *(difference.signed() for difference in (each.lost, each.called_known)),
                    )
                    for each in self.taught
                ),
                ("training", str(self.trained), "1", str(self.trained_named), "", ""),
            ),
            f"Each of {len(self.shows)} shows left out in turn; {self.clips} clips of shows, {self.others} "
            f"of other things, of which {self.known_before} are called known before a show is taught; "
            f"{self.draws} choices of GIFs, of other sources than the judged clips. "
            "Intervals: percentile bootstrap over sources.",
        )
        by_show = Table(
            "Recall of each show",
            columns(
                *("show", "clips", "training", *(f"{each.gifs} GIFs" for each in self.taught)), text=["show"]
            ),
            tuple(
                (each.show, str(each.clips), *map(decimal, (each.trained, *each.taught)))
                for each in self.shows
            ),
        )
        return summary, by_show

    def write(self, folder: Path) -> None:
        """Write teaching.json, teaching.md and teaching.png."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "teaching.json", self.to_json(), sort_keys=True, allow_nan=False)
        write_text(folder / "teaching.md", self.markdown())
        _plot(self, folder / "teaching.png")


@dataclass(frozen=True, eq=False)
class LeftOut:
    """The models that did not learn from one show, one for each fold, and their answers.

    Attributes:
        show: number of the show; None for models that learned from all.
        logits: float64 [clip, output], of each judged clip by the model of its fold, before any temperature.
            The show has no output.
        embeddings: int8 [fold, clip, 256], of all judged clips by the models of each fold.
        bases: what the file of each fold's model would keep of its clips, for temperature 1.
    """

    show: int | None
    logits: Doubles
    embeddings: NDArray[np.int8]
    bases: tuple[TeachingBase, ...]


@dataclass(frozen=True)
class _Examples:
    """GIFs that teach one show; see `services.inference.library.teaching.Examples`."""

    titles: tuple[str, ...]
    shows: NDArray[np.intp]
    embeddings: NDArray[np.int8]


def leave_shows_out(
    trainer: Trainer, folds: NDArray[np.intp], cache_dir: Path, *, console: Console | None = None
) -> list[LeftOut]:
    """Train without each show in turn, and once with all of them.

    The models of each fold are kept in the cache, so that an interrupted study resumes.

    Args:
        trainer: of a recipe that can be taught.
        folds: int [clip], the fold of each of its clips; `ALWAYS` for those that every model learns from.
        cache_dir: for the models.
        console: shows progress; None is silent.

    Returns:
        The models of all shows, then those of each show left out.

    Raises:
        InvalidOptions: the recipe cannot be taught.
    """
    if trainer.options.linear != "ridge" or trainer.clips.known.all():
        raise InvalidOptions("recipe", expected="a ridge regression with other things", found="another")
    settings = (trainer.options.to_json(), trainer.clips.digest, folds.tolist(), MODELS_VERSION)
    folder = cache_dir / "teaching" / run_name(*settings, PIXELS_VERSION, AUGMENT_VERSION)
    folder.mkdir(parents=True, exist_ok=True)
    count, judged = int(folds.max()) + 1, np.flatnonzero(folds != ALWAYS)
    parts = []
    for fold in range(count):
        if console:
            console.log(f"fold {fold + 1} of {count}")
        path = folder / f"fold{fold:02d}.npz"
        if not path.exists():
            found = _train_fold(trainer, folds, fold)
            with replacing(path) as partial:
                np.savez(partial, **found)  # type: ignore[arg-type]
        with np.load(path) as saved:
            parts.append({name: saved[name] for name in saved.files})
    embeddings = np.stack([part["embeddings"][judged] for part in parts])
    models = []
    for show in (None, *range(len(trainer.clips.shows))):
        logits = np.zeros((len(judged), trainer.outputs - (show is not None)))
        for fold, part in enumerate(parts):
            logits[folds[judged] == fold] = part[f"logits {show}"]
        bases = tuple(TeachingBase.unpack(str(part[f"base {show}"])) for part in parts)
        models.append(LeftOut(show, logits, embeddings, bases))
    return models


def fit_by_products(
    products: Doubles, targets: Doubles, weights: Doubles, *, penalty: Callable[[float], float]
) -> Doubles:
    """Answer clips by a weighted ridge regression that learned from others, by products of clips alone.

    Args:
        products: float64 [judged + learned clip, learned clip], the inner products of their vectors.
        targets: float64 [learned clip, output].
        weights: float64 [learned clip].
        penalty: of the regression, by the weighted variance of the learned vectors, summed over numbers.

    Returns:
        float64 [judged clip, output].
    """
    learned, judged = len(targets), len(products) - len(targets)
    share = weights / weights.sum()
    to_mean = products @ share  # inner products with the weighted mean of the learned vectors
    centred = products - to_mean[:, None] - to_mean[judged:] + share @ to_mean[judged:]
    root, target_mean = np.sqrt(share), share @ targets
    gram = root[:, None] * centred[judged:] * root
    gram[np.diag_indices(learned)] += penalty(float(np.trace(gram)))
    solved = scipy.linalg.solve(gram, root[:, None] * (targets - target_mean), assume_a="pos")
    return np.asarray((centred[:judged] * root) @ solved + target_mean)


def measure_teaching(
    models: Sequence[LeftOut],
    clips: Clips,
    folds: NDArray[np.intp],
    *,
    recipe: str,
    gifs: Sequence[int] = GIFS,
    draws: int = DRAWS,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> TeachingReport:
    """Teach the shows that were left out, and compute every figure.

    Args:
        models: from `leave_shows_out`.
        clips: that were judged, of the shows and of other things.
        folds: int [clip], the fold of each.
        recipe: that was judged, for the tables.
        gifs: numbers of GIFs that teach a show.
        draws: choices of these GIFs for each show, fold and number.
        bootstrap: of the intervals, drawn by source.
    """
    labels, known, units = clips.labels, clips.known, components(clips.rows, "source")
    whole, *left_out = models
    hits = whole.logits[:, :-1].argmax(axis=1) == labels
    held = HeldOut(folds, labels, np.ones(len(labels), bool), {PLAIN: whole.logits[:, None]})
    named = _names(verdicts_in_folds(held, clips.shows, clips.kinds)[0], clips.shows, labels)
    tally = _Tally(len(gifs), len(labels))
    for model in left_out:
        for fold in range(int(folds.max()) + 1):
            _judge_taught(model, clips, folds, fold, gifs=gifs, draws=draws, tally=tally)

    def mean_of_shows(values: Doubles | Flags) -> Estimate:
        return bootstrap.estimate(
            _mean_of_shows(values[known], labels[known]), int(known.sum()), groups=units[known]
        )

    def mean(values: Doubles, some: Flags) -> Estimate:
        return bootstrap.estimate(weighted_mean(values[some]), int(some.sum()), groups=units[some])

    def ratio(values: Doubles) -> Estimate:
        above, below = (_mean_of_shows(each[known], labels[known]) for each in (values, hits))
        return bootstrap.estimate(
            lambda weights: above(weights) / below(weights), int(known.sum()), groups=units[known]
        )

    return TeachingReport(
        recipe,
        int(known.sum()),
        int((~known).sum()),
        draws,
        mean_of_shows(hits),
        mean_of_shows(named),
        mean(tally.known_before, ~known),
        tuple(
            Taught(
                number,
                mean_of_shows(tally.hits[place]),
                ratio(tally.hits[place]),
                mean_of_shows(tally.named[place]),
                mean(tally.lost[place], known),
                mean(tally.called_known[place], ~known),
            )
            for place, number in enumerate(gifs)
        ),
        tuple(
            ShowRecall(
                name,
                int((labels == show).sum()),
                float(hits[labels == show].mean()),
                tuple(float(of_clips[labels == show].mean()) for of_clips in tally.hits),
            )
            for show, name in enumerate(clips.shows)
        ),
    )


class _Tally:
    """What is counted of each clip, as the mean over all models and draws that judge it.

    Attributes:
        hits: float64 [number of GIFs, clip], as `named`, `lost` and `called_known`; see `Taught`.
        known_before: float64 [clip], whether shows are named if none is taught.
    """

    def __init__(self, numbers: int, clips: int) -> None:
        self.hits, self.named, self.lost, self.called_known = np.zeros((4, numbers, clips))
        self.known_before = np.zeros(clips)


def _train_fold(trainer: Trainer, folds: NDArray[np.intp], fold: int) -> dict[str, NDArray[Any]]:
    """Train all models of a fold.

    Returns:
        By name: embeddings of all clips, and of each show and None the logits of the clips of the fold and
        the packed base.
    """
    options, clips, views = trainer.options, trainer.clips, trainer.views
    inside, learned = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
    parts = fit_parts(options.parts, {tap: values[learned] for tap, values in views[0].items()})
    vectors = [frame_vectors(parts, view).mean(axis=1) for view in views]
    embeddings = short_embeddings(vectors[0])
    inputs = np.concatenate([vectors[0][inside], *(each[learned] for each in vectors)]).astype(np.float64)
    products = inputs @ inputs[len(inside) :].T
    balance = {"balance": options.balance, "source_balance": options.source_balance}
    found: dict[str, NDArray[Any]] = {"embeddings": embeddings}
    for show in (None, *range(len(clips.shows))):
        kept = clips.labels[learned] != (-1 if show is None else show)
        some = np.flatnonzero(np.tile(kept, len(views)))
        rows = np.concatenate([np.arange(len(inside)), len(inside) + some])
        labels = clips.labels[learned[kept]]
        weights = clip_weights(labels, [clips.rows[clip].source for clip in learned[kept]], **balance)
        logits = fit_by_products(
            products[np.ix_(rows, some)],
            np.tile(np.eye(trainer.outputs)[labels], (len(views), 1)),
            np.tile(weights, len(views)),
            penalty=lambda variance: options.regularisation * variance / inputs.shape[1],
        )
        logits[:, -1] *= RIDGE_OTHERS
        base = TeachingBase.of(embeddings[learned[kept]], weights, temperature=1.0, others=RIDGE_OTHERS)
        found[f"logits {show}"] = logits if show is None else np.delete(logits, show, axis=1)
        found[f"base {show}"] = np.array(base.pack())
    return found


def _judge_taught(
    model: LeftOut,
    clips: Clips,
    folds: NDArray[np.intp],
    fold: int,
    *,
    gifs: Sequence[int],
    draws: int,
    tally: _Tally,
) -> None:
    """Teach a fold's model the show that it lacks, and add to the tally what becomes of the fold's clips."""
    assert model.show is not None
    show, inside, others = model.show, np.flatnonzero(folds == fold), folds != fold
    trained = tuple(each for place, each in enumerate(clips.shows) if place != show)
    # Places of the shows in the ranking: those of the others, then the taught one.
    places = np.where(clips.labels == show, len(trained), clips.labels - (clips.labels > show))
    learned = others & (clips.labels != show)
    operating = find_operating(model.logits[learned], places[learned], trained, kinds=clips.kinds)
    logits, truth = model.logits[inside], places[inside]
    known, own = clips.known[inside], clips.labels[inside] == show
    right = logits[:, :-1].argmax(axis=1) == truth
    called_known = _known(operating.verdicts(logits, trained, clips.kinds))
    # Each clip of another show is judged without each of the other shows; one of no show, without each.
    share = 1 / (len(clips.shows) - known)
    tally.known_before[inside] += ~known * share * called_known
    pool = np.flatnonzero(others & (clips.labels == show))
    if not len(pool):  # all its clips are of one source, so nothing can teach it, nor train it
        return
    for place, number in enumerate(gifs):
        for draw in range(draws):
            rng = np.random.default_rng([show, fold, number, draw])
            chosen = rng.choice(pool, min(number, len(pool)), replace=False)
            best, verdicts = _teach(model, fold, operating, inside=inside, chosen=chosen, clips=clips)
            hit = best == truth
            tally.hits[place, inside] += own * hit / draws
            tally.named[place, inside] += own * _names(verdicts, (*trained, clips.shows[show]), truth) / draws
            lost = right.astype(float) - hit
            tally.lost[place, inside] += (known & ~own) * share * lost / draws
            gained = _known(verdicts).astype(float) - called_known
            tally.called_known[place, inside] += ~known * share * gained / draws


def _teach(
    model: LeftOut,
    fold: int,
    operating: Operating,
    *,
    inside: NDArray[np.intp],
    chosen: NDArray[np.intp],
    clips: Clips,
) -> tuple[NDArray[np.intp], list[Verdict]]:
    """Teach a show with the chosen clips, and answer the clips of a fold as `Classifier` does.

    Returns:
        The place of the show that is ranked first, int [clip], and the verdict on each clip.
    """
    assert model.show is not None
    title = clips.shows[model.show]
    trained = tuple(show for show in clips.shows if show != title)
    base = dataclasses.replace(model.bases[fold], temperature=operating.temperature)
    embeddings, logits = model.embeddings[fold], model.logits[inside]
    examples = _Examples((title,), np.zeros(len(chosen), np.intp), embeddings[chosen])
    taught = TaughtShows(examples, trained, base)
    answers = [
        taught.join(embedding, shares, float(familiarity))
        for embedding, shares, familiarity in zip(
            embeddings[inside],
            operating.probabilities(logits, len(trained)).astype(np.float32),
            operating.familiarity(logits, len(trained)),
            strict=True,
        )
    ]
    kinds = clips.kinds and {show: kind for show, kind in clips.kinds.items() if show != title}
    verdicts = operating.decide(answers, (*trained, title), kinds)
    return np.array([int(shares.argmax()) for shares, _ in answers], np.intp), verdicts


def _known(verdicts: Sequence[Verdict]) -> Flags:
    """Whether each verdict names shows."""
    return np.array([verdict.known for verdict in verdicts], bool)


def _names(verdicts: Sequence[Verdict], shows: Sequence[str], truth: NDArray[np.intp]) -> Flags:
    """Whether each verdict names the clip's show; the number of shows is that of other things."""
    titles = [*shows, ""]
    pairs = zip(verdicts, truth, strict=True)
    return np.array([verdict.known and titles[show] in verdict.names for verdict, show in pairs], bool)


def _mean_of_shows(values: Doubles | Flags, labels: NDArray[np.intp]) -> Statistic:
    """The statistic "mean over the shows that have clips of their mean of values"."""
    of_show = np.eye(int(labels.max()) + 1)[labels]
    weighted = of_show * np.asarray(values, float)[:, None]

    def statistic(weights: Doubles) -> Doubles:
        clips = weights @ of_show
        means = np.divide(weights @ weighted, clips, out=np.zeros_like(clips), where=clips > 0)
        return np.asarray(means.sum(axis=1) / (clips > 0).sum(axis=1))

    return statistic


def _plot(report: TeachingReport, path: Path) -> None:
    """Recall of a taught show over the number of GIFs, between nothing and training on it."""
    numbers, recall = [each.gifs for each in report.taught], [each.recall for each in report.taught]
    with drawing(path, 7.0, 4.6) as figure:
        axes = figure.add_subplot()
        axes.fill_between(
            numbers, [each.low for each in recall], [each.high for each in recall], color=SKY, alpha=0.25
        )
        axes.plot(numbers, [each.value for each in recall], color=BLUE, marker="o", label="taught")
        axes.axhspan(report.trained.low, report.trained.high, color=ORANGE, alpha=0.15)
        axes.axhline(report.trained.value, color=ORANGE, linestyle="--", label="trained")
        axes.axhline(report.trained.value / 2, color=INK, linestyle=":", label="half of trained")
        axes.set_xticks(numbers)
        axes.set_ylim(0, None)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel("GIFs that teach the show")
        axes.set_ylabel("recall, mean of the shows")
        axes.legend(loc="lower right")
        title(
            axes,
            "What a few GIFs teach",
            f"{len(report.shows)} shows left out in turn, sources not seen; 95 % intervals",
        )

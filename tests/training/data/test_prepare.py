"""Parts of a manifest: whole sources, each GIF once, strangers apart."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.data.clips import load_clips
from training.data.manifest import read_manifest
from training.data.prepare import PrepareOptions, prepare
from training.errors import InvalidOptions, SplitImpossible


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.1, 0.6), seed=st.integers(0, 2**32 - 1))
def test_no_source_group_or_gif_is_in_two_parts(drawn_clips, share, seed):
    options = PrepareOptions(holdout=share, unknown=("Red Rings",), seed=seed)

    parts = prepare(drawn_clips, options)

    train, evaluation = parts.train, parts.evaluation
    for one in ("group", "source", "path"):
        named = [{getattr(row, one) for row in part.rows} for part in (train, evaluation, parts.unknown)]
        assert sum(map(len, named)) == len(set.union(*named))
    assert not set(train.digests) & set(evaluation.digests)
    assert train.shows == evaluation.shows == ("Blue Bars", "Green Grid")
    assert len(train) + len(evaluation) + len(parts.unknown) == len(drawn_clips)
    assert prepare(drawn_clips, options).summary() == parts.summary()


def test_duplicates_are_used_once_and_gifs_of_two_shows_never(shows_in, tmp_path):
    manifest = shows_in(tmp_path / "gifs")
    rows = read_manifest(manifest)
    shutil.copy(rows[0].path, rows[1].path)  # of the same show
    shutil.copy(rows[2].path, rows[-1].path)  # of another

    parts = prepare(load_clips(rows, tmp_path / "cache"), PrepareOptions())

    reasons = sorted((aside.row.path.name, aside.reason) for aside in parts.set_aside)
    assert reasons == sorted(
        [
            (rows[1].path.name, "DUPLICATE"),
            (rows[2].path.name, "SEVERAL_SHOWS"),
            (rows[-1].path.name, "SEVERAL_SHOWS"),
        ]
    )
    assert len(parts.train) + len(parts.evaluation) == 15


def test_written_manifests_list_the_same_files(drawn_clips, tmp_path):
    parts = prepare(drawn_clips, PrepareOptions())

    parts.write(tmp_path)

    for name, part in (("train", parts.train), ("evaluation", parts.evaluation)):
        found = read_manifest(tmp_path / f"{name}.csv")
        assert [row.path.resolve() for row in found] == [row.path.resolve() for row in part.rows]
        assert [(row.show, row.group, row.source) for row in found] == [
            (row.show, row.group, row.source) for row in part.rows
        ]
    assert read_manifest(tmp_path / "unknown.csv", may_be_empty=True) == ()
    assert json.loads((tmp_path / "summary.json").read_text()) == parts.summary()


def test_neither_missing_shows_nor_all_shows_can_be_unknown(drawn_clips):
    with pytest.raises(InvalidOptions, match="Blue Bars, Green Grid, Red Rings"):
        prepare(drawn_clips, PrepareOptions(unknown=("Nobody",)))
    with pytest.raises(SplitImpossible, match="every show"):
        prepare(drawn_clips, PrepareOptions(unknown=drawn_clips.shows))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prepare: {holdout: 1}", "holdout must be less than 1"),
        ("prepare: {by: colour}", "by must be 'source' or 'group'"),
        ("prepare: {hold: 0.1}", "holdout"),
        ("prepare: {holdout: much}", "holdout must be a valid number"),
        ("prepare: [3]", "a mapping"),
        ("prepare: [", "a file of settings"),
        ("3", "a mapping"),
    ],
)
def test_invalid_settings_are_refused(tmp_path, text, message):
    (tmp_path / "params.yaml").write_text(text)

    with pytest.raises(InvalidOptions, match=message):
        PrepareOptions.read(tmp_path / "params.yaml")


def test_missing_settings_have_their_defaults(tmp_path):
    (tmp_path / "params.yaml").write_text("prepare: {unknown: [Friends]}\nfit: {folds: 3}\n")

    assert PrepareOptions.read(tmp_path / "params.yaml") == PrepareOptions(unknown=("Friends",))
    (tmp_path / "params.yaml").write_text("prepare: {unknown: }\nfit: {folds: 3}\n")
    assert PrepareOptions.read(tmp_path / "params.yaml") == PrepareOptions()
    (tmp_path / "params.yaml").write_text("fit: {folds: 3}\n")
    assert PrepareOptions.read(tmp_path / "params.yaml") == PrepareOptions()

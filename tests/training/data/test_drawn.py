"""Drawn GIFs: the same each time, of every kind, and all of them decoded."""

from services.preprocess import decode_gif
from tests.support.golden import assert_golden_arrays
from training.data.clips import load_clips
from training.data.drawn import DRAWN_VERSION, KINDS, draw_gifs


def test_every_kind_is_a_source_of_gifs_that_decode(tmp_path) -> None:
    rows = draw_gifs(tmp_path, of_each=6)

    clips = load_clips(rows, tmp_path / "cache")

    assert not clips.set_aside
    assert not clips.known.any()
    assert {row.source for row in rows} == {f"drawn {kind}" for kind in KINDS}
    assert len(rows) == 6 * len(KINDS)
    for kind in KINDS:
        assert len({row.path.read_bytes() for row in rows if row.show == kind}) >= 3


def test_existing_gifs_are_kept_and_another_seed_draws_others(tmp_path) -> None:
    first = draw_gifs(tmp_path, of_each=2)
    before = [row.path.stat().st_mtime_ns for row in first]

    again, others = draw_gifs(tmp_path, of_each=3), draw_gifs(tmp_path, of_each=2, seed=1)

    assert [row.path.stat().st_mtime_ns for row in again if row in first] == before
    same = [a.path.read_bytes() == b.path.read_bytes() for a, b in zip(first, others, strict=True)]
    assert sum(same) <= 2  # two may be black by chance


def test_pictures_change_only_with_their_version(tmp_path) -> None:
    small = {
        row.path.stem: decode_gif(row.path.read_bytes()).frames[::5, ::16, ::16]
        for row in draw_gifs(tmp_path, of_each=2)
    }

    # Another version of FreeType may shift the letters by a fraction of a pixel.
    assert_golden_arrays("drawn", DRAWN_VERSION, small, tolerance=0.02)

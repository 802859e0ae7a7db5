import numpy as np
import pytest

from services.preprocess import decode_gif
from training.data import clips as dataset
from training.data.clips import load_clips
from training.data.manifest import read_manifest
from training.errors import InvalidManifest


def test_clips_are_those_of_preprocess_and_are_decoded_once(tmp_path, shows_in, monkeypatch):
    rows = read_manifest(shows_in(tmp_path / "gifs", sources=1))
    clips = load_clips(rows, tmp_path / "cache")
    for index, row in enumerate(rows):
        np.testing.assert_array_equal(clips.frames(index), decode_gif(row.path.read_bytes()).frames)
    monkeypatch.setattr(dataset, "decode_gif", None)  # not called again
    again = load_clips(rows, tmp_path / "cache")
    assert again.files == clips.files
    assert again.digest == clips.digest
    assert clips.shows == ("Blue Bars", "Green Grid", "Red Rings")
    assert [clips.shows[label] for label in clips.labels] == [row.show for row in rows]


def test_another_version_of_the_pixels_has_its_own_cache(tmp_path, drawn_manifest, monkeypatch):
    rows = read_manifest(drawn_manifest)[:1]
    before = load_clips(rows, tmp_path)
    monkeypatch.setattr(dataset, "PIXELS_VERSION", dataset.PIXELS_VERSION + 1)
    assert load_clips(rows, tmp_path).files != before.files


def test_unusable_files_are_set_aside_with_their_reason(tmp_path, gif_of, manifest_of):
    good = gif_of(tmp_path / "good.gif", "Red Rings", 1)
    (tmp_path / "page.gif").write_bytes(b"<!DOCTYPE html><html></html>")
    (tmp_path / "short.gif").write_bytes(good.read_bytes()[:40])
    names = ("good.gif", "missing.gif", "page.gif", "short.gif")
    manifest = manifest_of(tmp_path / "m.csv", [{"path": name, "show": "S", "group": name} for name in names])
    clips = load_clips(read_manifest(manifest), tmp_path / "cache")
    assert [row.path.name for row in clips.rows] == ["good.gif"]
    assert [(aside.row.path.name, aside.reason) for aside in clips.set_aside] == [
        ("missing.gif", "UNREADABLE_FILE"),
        ("page.gif", "NOT_A_GIF"),
        ("short.gif", "CORRUPT_GIF"),
    ]
    with pytest.raises(InvalidManifest, match="none of 1 GIFs can be used"):
        load_clips(read_manifest(manifest)[1:2], tmp_path / "cache")


def test_the_digest_does_not_depend_on_the_order(drawn_clips):
    order = np.arange(len(drawn_clips))
    assert drawn_clips.choose(order[::-1]).digest == drawn_clips.digest
    assert drawn_clips.choose(order[1:]).digest != drawn_clips.digest

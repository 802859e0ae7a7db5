import pytest

from services.inference import Classifier, default_model_path
from tests.support.paths import ROOT
from training.data.manifest import as_others, read_kinds, read_manifest, read_manifests, with_kinds
from training.errors import InvalidManifest

LINE = {"path": "a.gif", "show": "S", "group": "S#1", "source": "x"}


def test_rows_are_resolved_against_the_manifest(tmp_path, manifest_of):
    (row,) = read_manifest(manifest_of(tmp_path / "m.csv", [LINE | {"captioned": "?"}]))
    assert (row.path, row.show, row.group, row.source) == (tmp_path / "a.gif", "S", "S#1", "x")


def test_a_missing_source_is_the_group(tmp_path, manifest_of):
    line = {key: value for key, value in LINE.items() if key != "source"}
    (row,) = read_manifest(manifest_of(tmp_path / "m.csv", [line]))
    assert row.source == "S#1"


def test_a_kind_comes_from_the_manifest_or_else_from_a_file_of_kinds(tmp_path, manifest_of):
    lines = [LINE | {"kind": "anime"}, LINE | {"path": "b.gif", "kind": ""}]
    rows = read_manifest(manifest_of(tmp_path / "m.csv", lines))
    (tmp_path / "kinds.csv").write_text("show,kind\nS,cartoon\n")

    kinds = read_kinds(tmp_path / "kinds.csv")

    assert [row.kind for row in rows] == ["anime", ""]
    assert [row.kind for row in with_kinds(rows, kinds)] == ["anime", "cartoon"]


@pytest.mark.parametrize("content", ["", "show,kind\n", "show,kind\nS,\n", "title,kind\nS,anime\n"])
def test_a_file_without_kinds_is_refused(tmp_path, content):
    (tmp_path / "kinds.csv").write_text(content)

    with pytest.raises(InvalidManifest, match=r"kinds\.csv"):
        read_kinds(tmp_path / "kinds.csv")


def test_the_kinds_of_the_default_model_are_those_of_its_shows():
    kinds = read_kinds(ROOT / "training/kinds.csv")

    assert set(kinds.values()) == {"anime", "cartoon", "computer animation", "live action"}
    assert set(Classifier(default_model_path()).shows) <= set(kinds)


def test_rows_of_other_things_are_marked(tmp_path, manifest_of):
    rows = read_manifest(manifest_of(tmp_path / "m.csv", [LINE]))

    assert [row.other for row in (*rows, *as_others(rows))] == [False, True]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"path,show\na.gif,S\n", "no column group"),
        (b"path,show,group\na.gif,,S#1\n", "line 2 has no show"),
        (b"path,show,group\na.gif,S\n", "line 2 has no group"),
        (b"path,show,group\na.gif,S,1\na.gif,T,2\n", "line 3 names a.gif, as line 2 does"),
        (b"path,show,group\n", "names no GIF"),
        (b"", "no column path, show, group"),
        (b"\xff\xfe\x00p", "not UTF-8"),
        (b'path,show,group\n"a.gif,S,1\n', "not CSV"),
        (None, "cannot be read"),
    ],
)
def test_an_invalid_manifest_is_refused_in_one_line(tmp_path, content, why):
    path = tmp_path / "m.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidManifest, match=why) as raised:
        read_manifest(path)
    assert "\n" not in raised.value.message
    assert str(path) in raised.value.message


def test_two_manifests_may_not_name_one_file(tmp_path, manifest_of):
    one = manifest_of(tmp_path / "one.csv", [LINE])
    two = manifest_of(tmp_path / "two.csv", [LINE | {"path": "b.gif"}])
    assert len(read_manifests([one, two])) == 2
    with pytest.raises(InvalidManifest, match="named by"):
        read_manifests([one, one])

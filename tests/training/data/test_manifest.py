import pytest

from training.data.manifest import read_manifest, read_manifests
from training.errors import InvalidManifest

LINE = {"path": "a.gif", "show": "S", "group": "S#1", "source": "x"}


def test_rows_are_resolved_against_the_manifest(tmp_path, manifest_of):
    (row,) = read_manifest(manifest_of(tmp_path / "m.csv", [LINE | {"captioned": "?"}]))
    assert (row.path, row.show, row.group, row.source) == (tmp_path / "a.gif", "S", "S#1", "x")


def test_a_group_stands_for_a_missing_source(tmp_path, manifest_of):
    line = {key: value for key, value in LINE.items() if key != "source"}
    (row,) = read_manifest(manifest_of(tmp_path / "m.csv", [line]))
    assert row.source == "S#1"


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
    ],
)
def test_a_bad_manifest_is_refused_in_one_line(tmp_path, content, why):
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidManifest, match=why) as raised:
        read_manifest(path)
    assert "\n" not in raised.value.message
    assert str(path) in raised.value.message


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(InvalidManifest, match="cannot be read"):
        read_manifest(tmp_path / "none.csv")


def test_two_manifests_may_not_name_one_file(tmp_path, manifest_of):
    one = manifest_of(tmp_path / "one.csv", [LINE])
    two = manifest_of(tmp_path / "two.csv", [LINE | {"path": "b.gif"}])
    assert len(read_manifests([one, two])) == 2
    with pytest.raises(InvalidManifest, match="named by"):
        read_manifests([one, one])

"""Fetching of the published decisions, from a repository made on the spot."""

import subprocess

import pytest

from seelike import published


def test_fetching_takes_what_is_needed_and_nothing_else(tmp_path, monkeypatch):
    def git(*arguments):
        subprocess.run(["git", "-C", tmp_path / "source", *arguments], check=True, capture_output=True)

    inside = tmp_path / "source" / published.INSIDE
    for kind in published.CHECKSUMS:
        (inside / f"texture-shape_{kind}").mkdir(parents=True)
        (inside / f"texture-shape_{kind}" / "a.csv").write_text("subj\n")
    (tmp_path / "source" / "large.bin").write_text("not wanted")
    git("init", "--quiet")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "one")
    source = f"file://{tmp_path / 'source'}"
    with pytest.raises(ValueError, match="gave other decisions on cue-conflict than expected"):
        published.fetch(tmp_path / "mirror", source, "HEAD")
    assert not (tmp_path / "mirror").exists()
    kinds = {kind: published.checksum(inside / f"texture-shape_{kind}") for kind in published.CHECKSUMS}
    monkeypatch.setattr(published, "CHECKSUMS", kinds)
    for _ in range(2):
        made = published.fetch(tmp_path / "mirror", source, "HEAD")
    assert [p.name for p in made] == list(kinds) == ["cue-conflict", "silhouettes", "edges"]
    assert sorted(f.name for f in (tmp_path / "mirror").rglob("*") if f.is_file()) == ["a.csv"] * 3
    with pytest.raises(ConnectionError, match="git clone failed"):
        published.fetch(tmp_path / "mirror", f"file://{tmp_path / 'nowhere'}")


@pytest.mark.parametrize("kind", ["silhouettes", "edges"])
def test_every_network_of_the_decisions_has_a_family(mirror, monkeypatch, kind):
    monkeypatch.setenv("SEELIKE_MIRROR", str(mirror))
    table = published.decisions(kind)
    named = [name for names in published.NETWORKS.values() for name in names]
    assert len(named) == len(set(named)) == 31 and table.image.nunique() == 160
    assert set(table.observer) == {*named, *(f"subject-{i:02d}" for i in range(1, 11))}
    with pytest.raises(ValueError, match="cue-conflict, silhouettes, edges, not on 'sketches'"):
        published.decisions("sketches")


POINTS = "model,params_M,gflops_224,data,steps_at_bs4096,images_seen,inet_10shot_acc,inet_finetune_acc\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a readable CSV file .No columns to parse from file.: copy it again"),
        ("\xff", "is not a readable CSV file"),
        (POINTS.replace("gflops_224", "gflops") + "L/16,303,122,30M,20000,81920000,49.6,75.4\n", "no numbers in it: gflops_224"),
        (POINTS + "L/16,303,x,30M,20000,81920000,49.6,75.4\n", "no numbers in it: gflops_224. Copy it again"),
        (POINTS + "L/16,303,122,30M,20000,81920000,49.6,75.4\n", "holds 1 of 265 points: copy it again"),
    ],
)
def test_damaged_points_are_one_sentence(tmp_path, monkeypatch, text, message):
    monkeypatch.setenv("SEELIKE_MIRROR", str(tmp_path))
    (tmp_path / "zhai2021").mkdir()
    (tmp_path / "zhai2021" / "points.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        published.scaling_points()


def test_the_points_are_whole(mirror):
    if (mirror / "zhai2021").is_dir():
        assert len(published.scaling_points()) == published.POINTS


def test_the_stages_of_the_authors_are_seven_each():
    assert all(len(points) == 7 and all(0 < share < 100 for point in points for share in point) for points in published.FINE_TUNED.values())

"""The folder that stands for the run folder in a sandbox is made anew, whatever an earlier kernel left there."""

from __future__ import annotations

from jobs.launchers import sandbox


def test_a_link_in_its_place_is_not_followed(tmp_path):
    host, folder = tmp_path / "host", tmp_path / "run"
    host.mkdir()
    (host / "secret.txt").write_text("kept")
    (folder / "tmp").mkdir(parents=True)
    (folder / "tmp" / sandbox.SCRATCH).symlink_to(host)
    made = sandbox.fresh_scratch(folder)
    assert (made.is_symlink(), list(made.iterdir()), (host / "secret.txt").read_text()) == (False, [], "kept")
    (made / "out").symlink_to(host)
    assert list(sandbox.fresh_scratch(folder).iterdir()) == []
    assert (host / "secret.txt").read_text() == "kept"

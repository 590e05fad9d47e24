from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from hub.server import Fault, Hub, git_blob
from huggingface_hub import constants, hf_hub_download

from wa_bench.data.hub import HubFile, Snapshot, download, open_stream, snapshot
from wa_bench.errors import DataError

REPO = "owner/designs"
TRAIN = random.Random(1).randbytes(100_000)
FILES = {
    "train/train_a_merged.json": TRAIN,
    "train/notes/a.json": b"[]",
    "test/test_a_merged.json": b"[1]",
    "README.md": b"#",
}
OTHER = TRAIN[:-1] + b"?"


@pytest.fixture
def commit(hub: Hub) -> str:
    return hub.commit(REPO, FILES)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "designs.json"


@pytest.fixture
def known(commit: str, lock: Path) -> Snapshot:
    return snapshot(REPO, "main", ["train/train_*_merged.json"], lock)


def _cache() -> list[Path]:
    """The files of the repository in the client's cache."""
    files = Path(constants.HF_HUB_CACHE).glob("datasets--*/*/**/*")
    return [path for path in files if path.is_file() and path.suffix not in (".lock", ".incomplete")]


def _read(known: Snapshot) -> bytes:
    with open_stream(known, known.files[0]) as stream:
        return stream.read()


def test_first_contact_keeps_commit_files_and_hashes(known: Snapshot, commit: str, lock: Path) -> None:
    digest = sha256(TRAIN).hexdigest()
    assert known == Snapshot(REPO, "main", commit, (HubFile("train/train_a_merged.json", len(TRAIN), digest),))
    kept = {file["name"]: (file["size"], file["digest"]) for file in json.loads(lock.read_text())["files"]}
    assert kept.keys() == FILES.keys()
    assert kept["train/train_a_merged.json"] == (len(TRAIN), digest)
    assert kept["README.md"] == (1, git_blob(b"#"))


def test_the_lock_answers_from_then_on(hub: Hub, known: Snapshot, lock: Path) -> None:
    hub.requests.clear()
    hub.commit(REPO, {"train/train_a_merged.json": OTHER})
    assert snapshot(REPO, "main", ["train/train_*_merged.json"], lock) == known
    assert hub.requests == []
    assert download(known, known.files[0]).read_bytes() == TRAIN


def test_first_contact_of_several_is_one(hub: Hub, commit: str, lock: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: snapshot(REPO, commit, ["*.md"], lock), range(4)))
    assert found == [found[0]] * 4
    assert len(hub.asked("/api/datasets")) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault("/api/datasets", cut_after=5), Fault("/api/datasets", status=502), Fault("/api/datasets", status=429)],
)
def test_first_contact_outlives_faults_that_pass(hub: Hub, commit: str, lock: Path, fault: Fault) -> None:
    hub.faults = [Fault(**vars(fault))]
    assert snapshot(REPO, "main", ["*.md"], lock).commit == commit


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(status=503, times=99), r"HTTP 503 Service Unavailable \(4 tries\); get it by other means, such as: "
         r"hf download owner/designs --repo-type dataset --revision main --local-dir mirror/designs"),
        (Fault(status=401), "HTTP 401 Unauthorized; log in with: hf auth login"),
        (Fault(status=403, headers={"X-Error-Code": "GatedRepo"}), "asks for its terms to be accepted"),
        (Fault(status=404, headers={"X-Error-Code": "RevisionNotFound"}), "HTTP 404 Not Found"),
        (Fault(body=b"<html>"), "expected a list of files with sizes and hashes, found JSONDecodeError"),
        (Fault(body=b"[1]"), "expected a list of files"),
        (Fault(body=b"{}"), "expected a list of files"),
    ],
)  # fmt: skip
def test_first_contact_that_fails_is_one_clear_error_and_no_lock(
    hub: Hub, commit: str, lock: Path, fault: Fault, says: str
) -> None:
    hub.faults = [Fault(**{**vars(fault), "path": "/api/datasets"})]
    with pytest.raises(DataError, match=says):
        snapshot(REPO, "main", ["*.md"], lock)
    assert not lock.exists()


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x.json", "a/../../x.json", "a//x.json", "./x", "a/.", "C:/x", "a\\..\\x", "x\n", ""]
)
def test_names_that_lead_out_of_the_folder_are_refused(hub: Hub, lock: Path, name: str) -> None:
    hub.commit(REPO, {name: b"[]"})
    with pytest.raises(DataError, match="expected a list of files"):
        snapshot(REPO, "main", ["*"], lock)


def test_another_commit_than_the_pinned_one_is_refused(hub: Hub, commit: str, lock: Path) -> None:
    hub.faults = [Fault("/api", body=json.dumps({"id": REPO, "sha": "f" * 40, "siblings": []}).encode())]
    with pytest.raises(DataError, match=f"expected commit {commit}, found {'f' * 40}"):
        snapshot(REPO, commit, ["*"], lock)


def test_a_lock_of_another_revision_is_not_taken(known: Snapshot, lock: Path) -> None:
    with pytest.raises(DataError, match=r"expected revision v2 of owner/designs, found revision main.*remove it"):
        snapshot(REPO, "v2", ["*"], lock)


def test_a_damaged_lock_is_named(lock: Path) -> None:
    lock.parent.mkdir()
    lock.write_text("{")
    with pytest.raises(DataError, match=r"designs\.json: expected a lock"):
        snapshot(REPO, "main", ["*"], lock)


def test_patterns_stay_within_folders_and_must_match(commit: str, lock: Path) -> None:
    assert [file.name for file in snapshot(REPO, "main", ["*.md", "train/*.json"], lock).files] == [
        "README.md",
        "train/train_a_merged.json",
    ]
    with pytest.raises(DataError, match=r"expected files val/\*, found train/"):
        snapshot(REPO, "main", ["val/*"], lock)


def test_small_files_are_verified_by_git_s_hash(hub: Hub, commit: str, lock: Path) -> None:
    known = snapshot(REPO, "main", ["README.md"], lock)
    assert download(known, known.files[0]).read_bytes() == b"#"
    assert _read(known) == b"#"
    hub.repos[REPO][commit] = {"README.md": b"!"}
    for path in _cache():
        path.unlink(missing_ok=True)
    with pytest.raises(DataError, match=git_blob(b"!")):
        download(known, known.files[0])


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("/lfs/", cut_after=50_000), Fault("/lfs/", cut_after=0)],
        [Fault("/resolve/", status=429, headers={"Retry-After": "0"}), Fault("/lfs/", status=500)],
        [Fault("/resolve/", "HEAD", status=503)],
    ],
)
def test_downloads_and_streams_outlive_faults_that_pass(hub: Hub, known: Snapshot, faults: list[Fault]) -> None:
    hub.faults = [Fault(**vars(fault)) for fault in faults]
    assert download(known, known.files[0]).read_bytes() == TRAIN
    for path in _cache():
        path.unlink(missing_ok=True)
    hub.faults = [Fault(**vars(fault)) for fault in faults]
    assert _read(known) == TRAIN


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault("/lfs/", body=OTHER), f"expected hash {sha256(TRAIN).hexdigest()}, found {sha256(OTHER).hexdigest()}"),
        (Fault("/lfs/", cut_after=0, times=99), r"hf download owner/designs train/train_a_merged\.json --repo-type"),
        (Fault("/resolve/", status=403), "log in with"),
        (Fault("/resolve/", status=404), "HTTP 404"),
    ],
)
def test_a_fault_that_stays_is_one_clear_error_and_no_file(hub: Hub, known: Snapshot, fault: Fault, says: str) -> None:
    for read in (lambda: download(known, known.files[0]), lambda: _read(known)):
        hub.faults = [Fault(**vars(fault))]
        with pytest.raises(DataError, match=says):
            read()
    assert _cache() == []


def test_another_hash_than_at_first_contact_is_shown_before_a_byte_is_read(hub: Hub, known: Snapshot) -> None:
    hub.digests["train/train_a_merged.json"] = "f" * 64
    says = f"expected hash {sha256(TRAIN).hexdigest()}, found {'f' * 64} announced by the Hub"
    for read in (lambda: download(known, known.files[0]), lambda: _read(known)):
        with pytest.raises(DataError, match=says):
            read()
    assert hub.asked("/lfs/") == []


def test_files_are_shared_with_the_hub_s_own_client(hub: Hub, known: Snapshot) -> None:
    theirs = hf_hub_download(
        REPO, "train/train_a_merged.json", repo_type="dataset", revision=known.commit, endpoint=hub.url
    )
    hub.requests.clear()
    assert download(known, known.files[0]) == Path(theirs)
    assert _read(known) == TRAIN
    assert hub.requests == []


def test_a_damaged_copy_is_removed_and_fetched_again(known: Snapshot) -> None:
    path = download(known, known.files[0])
    path.write_bytes(OTHER)
    with pytest.raises(DataError, match=f"{sha256(OTHER).hexdigest()}, and removed it; fetch it again"):
        download(known, known.files[0])
    assert _cache() == []
    assert download(known, known.files[0]).read_bytes() == TRAIN


def test_a_link_without_its_file_is_mended(known: Snapshot) -> None:
    download(known, known.files[0]).resolve().unlink()
    assert download(known, known.files[0]).read_bytes() == TRAIN


def test_where_links_cannot_be_made_a_file_is_kept_once(known: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    path = download(known, known.files[0])
    assert _cache() == [path]
    assert not path.is_symlink()


def test_the_token_is_for_the_hub_alone(hub: Hub, known: Snapshot) -> None:
    download(known, known.files[0])
    assert {request.headers.get("authorization") for request in hub.asked("/resolve/")} == {"Bearer hf_secret"}
    assert [request.headers.get("authorization") for request in hub.asked("/lfs/")] == [None]
    assert "hf_secret" not in repr(known)


def test_without_network_the_lock_and_the_cache_serve(
    hub: Hub, known: Snapshot, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download(known, known.files[0])
    hub.requests.clear()
    monkeypatch.setenv("WA_BENCH_OFFLINE", "1")
    found = snapshot(REPO, "main", ["train/train_*", "README.md"], lock)
    assert download(found, found.files[1]).read_bytes() == TRAIN
    with open_stream(found, found.files[1], 99_990) as stream:
        assert stream.read() == TRAIN[99_990:]
    with pytest.raises(DataError, match=r"expected a local copy.*hf download owner/designs README\.md"):
        download(found, found.files[0])
    with pytest.raises(DataError, match=r"expected a local copy.*hf download owner/designs --repo-type"):
        snapshot(REPO, "main", ["*"], lock.with_name("other.json"))
    assert hub.requests == []


FETCH = """
import sys
import time
from pathlib import Path
from wa_bench.data.hub import download, snapshot
known = snapshot("owner/designs", "main", ["train/train_*_merged.json"], Path(sys.argv[1]))
print(download(known, known.files[0]))
"""


def _fetch(lock: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, str(lock)],
        env={"PATH": "", "HF_HUB_DISABLE_UPDATE_CHECK": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_client_s_settings_are_honoured(hub: Hub, commit: str, lock: Path, tmp_path: Path) -> None:
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_other"}
    output, errors = _fetch(lock, **settings).communicate()
    path = Path(output.strip())
    assert path.is_relative_to(tmp_path / "home" / "hub"), errors
    assert path.read_bytes() == TRAIN
    assert {request.headers["authorization"] for request in hub.asked("/resolve/")} == {"Bearer hf_other"}
    hub.requests.clear()
    assert _fetch(lock, HF_HUB_OFFLINE="1", **settings).communicate()[0] == output
    assert "HF_HUB_OFFLINE" in _fetch(lock.with_name("x.json"), HF_HUB_OFFLINE="1", **settings).communicate()[1]
    assert hub.requests == []


def test_downloads_killed_at_any_moment_end_with_the_same_bytes(hub: Hub, lock: Path, tmp_path: Path) -> None:
    content = random.Random(2).randbytes(3_000_000)
    hub.commit(REPO, {"train/train_a_merged.json": content})
    hub.faults = [Fault("/lfs/", delay=0.002, times=99)]
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    moments = [0, *sorted(random.Random(3).sample(range(2_500_000), 5))]
    for moment in moments:
        victim = _fetch(lock, **settings)
        while _arrived(tmp_path) < moment:
            assert victim.poll() is None, victim.communicate()
            time.sleep(0.001)
        victim.kill()
        victim.communicate()
    output, errors = _fetch(lock, **settings).communicate()
    assert output, errors
    assert Path(output.strip()).read_bytes() == content
    assert list(tmp_path.rglob("*.incomplete")) == []
    starts = [int(request.headers.get("range", "bytes=0-")[6:-1]) for request in hub.asked("/lfs/")]
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert starts[-1] >= moments[-1]


def _arrived(folder: Path) -> int:
    """Bytes of an unfinished download, -1 before it begins."""
    return max((path.stat().st_size for path in folder.rglob("*.incomplete")), default=-1)

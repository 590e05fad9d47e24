"""Datasets on the Hugging Face Hub: pinned to a commit, their hashes kept from first contact, their files verified.

``huggingface_hub`` answers what a repository holds and keeps the files in its own cache, where other programs find
them. Its settings (``HF_ENDPOINT``, ``HF_HOME``, ``HF_HUB_OFFLINE``, ``HF_TOKEN``) are read by it alone, once, when it
is imported.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase
from io import BufferedReader
from pathlib import Path
from typing import Annotated

import httpx2
import msgspec
from huggingface_hub import DatasetInfo, HfApi, constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import build_hf_headers

from wa_bench.data.download import Remote, digest_of, fetch, keep_trying, open_remote, sole_writer
from wa_bench.errors import DataError, Fault
from wa_bench.files import write_text

_LOG_IN = "log in with: hf auth login (or set HF_TOKEN); if {} asks for its terms to be accepted, do so on its page"
_COMMIT = r"^[0-9a-f]{40}\Z"
_DIGEST = r"^([0-9a-f]{40}|[0-9a-f]{64})\Z"
_RELATIVE = r"^(?!(.*/)?\.{0,2}(/|\Z))[^\\:\x00-\x1f]+\Z"


class HubFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a repository: its path there, its bytes, and their SHA-256 (of small files the git blob id)."""

    name: Annotated[str, msgspec.Meta(pattern=_RELATIVE)]
    size: Annotated[int, msgspec.Meta(ge=0)]
    digest: Annotated[str, msgspec.Meta(pattern=_DIGEST)]


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset repository at a commit. ``revision`` is what was asked for: a branch, a tag or the commit."""

    repo: str
    revision: str
    commit: Annotated[str, msgspec.Meta(pattern=_COMMIT)]
    files: tuple[HubFile, ...]

    def matching(self, wanted: Sequence[str]) -> tuple[HubFile, ...]:
        """The files that match a pattern, by name; as in a shell, ``*`` stays within a folder.

        Raises:
            DataError: a pattern matches none.
        """
        found: dict[str, HubFile] = {}
        for pattern in wanted:
            matches = {file.name: file for file in self.files if _matches(file.name, pattern)}
            if not matches:
                names = ", ".join(file.name for file in self.files)[:500]
                raise DataError(Fault(f"{self.repo} at {self.commit}", f"files {pattern}", names or "no files"))
            found |= matches
        return tuple(found[name] for name in sorted(found))


def snapshot(repo: str, revision: str, wanted: Sequence[str], lock: Path) -> Snapshot:
    """The files of a dataset repository that match ``wanted``, as they were at first contact.

    The first call asks the Hub and writes ``lock``; later ones read it and need no network. Reading a file then
    compares what the Hub announces and sends with the lock.

    Raises:
        DataError: the Hub cannot be asked, or the lock is of another revision.
    """
    if not lock.is_file():
        with sole_writer(lock):
            if not lock.is_file():
                text = msgspec.json.format(msgspec.json.encode(_ask(repo, revision)), indent=1)
                write_text(lock, text.decode() + "\n")
    known = _read(lock)
    if (known.repo, known.revision) != (repo, revision):
        found = f"revision {known.revision} of {known.repo}"
        raise DataError(Fault(str(lock), f"revision {revision} of {repo}", found, "remove it to go over to the other"))
    return msgspec.structs.replace(known, files=known.matching(wanted))


def download(known: Snapshot, file: HubFile) -> Path:
    """The path of a file in the Hub client's cache, verified; fetched first if it is not there yet.

    Raises:
        DataError: the file cannot be had, or is not what it was at first contact; a wrong copy is removed.
    """
    path = _cached(known, file) or _bring(known, file)
    if (found := digest_of(path, file.digest)) != file.digest:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise DataError(Fault(str(path), f"hash {file.digest}", f"{found}, and removed it", "fetch it again"))
    return path


def open_stream(known: Snapshot, file: HubFile, start: int = 0) -> BufferedReader:
    """The bytes of a file from ``start`` on, while they arrive; from the cache if they are there.

    Raises:
        DataError: here or while reading: the file cannot be had, or is not what it was at first contact.
    """
    if _cached(known, file) is None:
        return open_remote(_remote(known, file), start)
    stream = download(known, file).open("rb")
    stream.seek(start)
    return stream


def _ask(repo: str, revision: str) -> Snapshot:
    """What the Hub says that a repository holds."""
    remote = Remote(
        f"{constants.ENDPOINT}/datasets/{repo}/tree/{revision}",
        remedy=_by_hand(repo, revision),
        denied=_LOG_IN.format(repo),
    )
    api = HfApi(endpoint=constants.ENDPOINT, library_name="wa-bench")

    def ask(timeout: float) -> DatasetInfo:
        return api.dataset_info(repo, revision=revision, files_metadata=True, timeout=timeout)

    try:
        found = _snapshot_of(keep_trying(remote, ask), repo, revision)
    except (msgspec.ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise remote.fault("a list of files with sizes and hashes", f"{type(error).__name__}: {error}") from error
    if re.match(_COMMIT, revision) and found.commit != revision:
        raise remote.fault(f"commit {revision}", found.commit)
    return found


def _snapshot_of(info: DatasetInfo, repo: str, revision: str) -> Snapshot:
    files = [
        {"name": each.rfilename, "size": each.lfs.size, "digest": each.lfs.sha256}
        if each.lfs
        else {"name": each.rfilename, "size": each.size, "digest": each.blob_id}
        for each in info.siblings or []
    ]
    return msgspec.convert({"repo": repo, "revision": revision, "commit": info.sha, "files": files}, Snapshot)


def _read(lock: Path) -> Snapshot:
    try:
        return msgspec.json.decode(lock.read_bytes(), type=Snapshot)
    except msgspec.DecodeError as error:
        raise DataError(Fault(str(lock), "a lock as wa-bench writes it", str(error), "remove it")) from None


def _bring(known: Snapshot, file: HubFile) -> Path:
    """Fetch a file into the Hub client's cache, which keeps it by its digest and links it by its name."""
    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=known.repo, repo_type="dataset")
    remote = _remote(known, file)
    blob = fetch(remote, folder / "blobs" / file.digest)
    try:
        path = Path(
            hf_hub_download(
                known.repo, file.name, repo_type="dataset", revision=known.commit, endpoint=constants.ENDPOINT
            )
        )
    except (httpx2.HTTPError, OSError) as error:
        raise remote.fault("an answer of the Hub", f"{type(error).__name__}: {error}") from error
    if not path.is_symlink():
        blob.unlink(missing_ok=True)
    return path


def _cached(known: Snapshot, file: HubFile) -> Path | None:
    path = try_to_load_from_cache(known.repo, file.name, revision=known.commit, repo_type="dataset")
    return Path(path) if isinstance(path, str) else None


def _remote(known: Snapshot, file: HubFile) -> Remote:
    return Remote(
        hf_hub_url(known.repo, file.name, repo_type="dataset", revision=known.commit, endpoint=constants.ENDPOINT),
        file.size,
        file.digest,
        remedy=_by_hand(known.repo, known.commit, file.name),
        denied=_LOG_IN.format(known.repo),
        headers=build_hf_headers(library_name="wa-bench"),
    )


def _by_hand(repo: str, revision: str, *names: str) -> str:
    """How to come by files where this program cannot reach them."""
    folder = f"mirror/{repo.rsplit('/', 1)[-1]}"
    options = ("--repo-type", "dataset", "--revision", revision, "--local-dir", folder)
    command = shlex.join(["hf", "download", repo, *names, *options])
    return f"get it by other means, such as: {command}, then set WA_BENCH_MIRROR=mirror or pass source={folder!r}"


def _matches(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)

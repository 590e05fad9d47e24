from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hub.server import Fault, Hub

from wa_bench.data import download
from wa_bench.data.download import Remote, fetch, open_remote
from wa_bench.errors import DataError

CONTENT = random.Random(0).randbytes(200_000)
SHA256 = sha256(CONTENT).hexdigest()
OTHER = CONTENT[:-1] + b"?"

Read = Callable[[Remote, Path], bytes]


def _fetched(remote: Remote, folder: Path) -> bytes:
    return fetch(remote, folder / "table.csv").read_bytes()


def _streamed(remote: Remote, folder: Path) -> bytes:
    with open_remote(remote) as stream:
        return stream.read()


@pytest.fixture(params=[_fetched, _streamed], ids=["fetched", "streamed"])
def read(request: pytest.FixtureRequest) -> Read:
    return request.param


@pytest.fixture
def remote(hub: Hub) -> Remote:
    return Remote(hub.place("table.csv", CONTENT), len(CONTENT), SHA256)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, which take no time."""
    naps: list[float] = []
    monkeypatch.setattr(download.time, "sleep", naps.append)
    return naps


def _left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


@pytest.mark.parametrize(
    "faults",
    {
        "connections are cut": [Fault(cut_after=100_000), Fault(cut_after=50_000)],
        "nothing arrives": [Fault(cut_after=0, times=3)],
        "too many requests": [Fault(status=429, headers={"Retry-After": "0"})],
        "the server is ill": [Fault(status=status) for status in (500, 502, 503)],
        "it stalls": [Fault(cut_after=30_000), Fault(delay=0.7)],
        "it is slow": [Fault(delay=0.01)],
        "it redirects": [Fault(status=307, headers={"Location": "/plain/table.csv"})],
        "it cannot resume": [Fault(cut_after=100_000), Fault(ranges=False)],
        "it does not say how much it sends": [Fault(cut_after=100_000, length=False), Fault(length=False)],
    }.items(),
    ids=lambda item: item[0],
)
def test_a_fault_that_passes_leaves_the_right_bytes(
    hub: Hub, remote: Remote, read: Read, faults: tuple[str, list[Fault]], tmp_path: Path
) -> None:
    hub.faults = [Fault(**vars(fault)) for fault in faults[1]]
    assert read(remote, tmp_path) == CONTENT
    assert not any(fault.times for fault in hub.faults)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(body=OTHER), f"expected hash {SHA256}, found {sha256(OTHER).hexdigest()}"),
        (Fault(body=CONTENT[:-9]), "expected 200,000 bytes, found 199,991"),
        (Fault(body=CONTENT + b"?"), "expected 200,000 bytes, found 200,001"),
        (Fault(body=CONTENT + b"?", length=False), "expected 200,000 bytes, found more"),
        (Fault(cut_after=0, times=99), r"RemoteProtocolError.*\(4 tries\)"),
        (Fault(status=503, times=99), r"HTTP 503 Service Unavailable \(4 tries\)"),
        (Fault(status=404), "HTTP 404 Not Found; get it by other means"),
        (Fault(status=401), "HTTP 401 Unauthorized; ask its publisher"),
        (Fault(status=403), "HTTP 403 Forbidden; ask its publisher"),
        (Fault(status=429, headers={"Retry-After": "3600"}), "HTTP 429 Too Many Requests.*try again in 3600 s"),
        (Fault(status=302, headers={"Location": "http://example.com/x"}), "an https address, found http://example.com"),
        (Fault(status=302, headers={"Location": "/plain/table.csv"}, times=99), "more than 10 redirects"),
    ],
)
def test_a_fault_that_stays_is_one_clear_error_and_no_half_file(
    hub: Hub, remote: Remote, read: Read, fault: Fault, says: str, tmp_path: Path
) -> None:
    hub.faults = [Fault(**vars(fault))]
    with pytest.raises(DataError, match=says) as raised:
        read(remote, tmp_path)
    assert len(raised.value.faults) == 1
    assert remote.url in str(raised.value)
    assert not (tmp_path / "table.csv").exists()


def test_wrong_bytes_are_not_kept_for_the_next_try(hub: Hub, remote: Remote, tmp_path: Path) -> None:
    hub.faults = [Fault(body=OTHER)]
    with pytest.raises(DataError, match="removed it"):
        _fetched(remote, tmp_path)
    assert _left(tmp_path) == []
    assert _fetched(remote, tmp_path) == CONTENT


def test_a_later_call_goes_on_where_an_earlier_one_broke_off(hub: Hub, remote: Remote, tmp_path: Path) -> None:
    hub.faults = [Fault(cut_after=150_000), Fault(cut_after=0, times=3)]
    with pytest.raises(DataError):
        _fetched(remote, tmp_path)
    assert _fetched(remote, tmp_path) == CONTENT
    assert hub.asked("plain")[-1].headers["range"] == "bytes=150000-"
    assert _left(tmp_path) == ["table.csv"]


def test_remains_of_another_version_do_not_get_in(hub: Hub, remote: Remote, tmp_path: Path) -> None:
    hub.faults = [Fault(cut_after=0, times=4)]
    other = Remote(hub.place("other.csv", OTHER), None, sha256(OTHER).hexdigest())
    with pytest.raises(DataError):
        fetch(other, tmp_path / "table.csv")
    assert _fetched(remote, tmp_path) == CONTENT


def test_remains_longer_than_the_file_are_dropped(hub: Hub, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / f"table.csv.{SHA256[:12]}.incomplete").write_bytes(CONTENT + b"??")
    assert _fetched(remote, tmp_path) == CONTENT


def test_what_nothing_is_known_of_is_fetched_whole(hub: Hub, read: Read, tmp_path: Path) -> None:
    hub.faults = [Fault(cut_after=100_000)]
    (tmp_path / "table.csv..incomplete").write_bytes(b"remains")
    assert read(Remote(hub.place("table.csv", CONTENT)), tmp_path) == CONTENT


def test_what_changes_while_it_is_read_is_noticed_without_a_hash(hub: Hub, read: Read, tmp_path: Path) -> None:
    hub.faults = [Fault(cut_after=100_000), Fault(body=OTHER)]
    with pytest.raises(DataError, match="as when reading began"):
        read(Remote(hub.place("table.csv", CONTENT)), tmp_path)
    assert not (tmp_path / "table.csv").exists()


def test_a_right_file_is_not_fetched_again_and_a_wrong_one_is(hub: Hub, remote: Remote, tmp_path: Path) -> None:
    _fetched(remote, tmp_path)
    _fetched(remote, tmp_path)
    assert len(hub.asked("plain")) == 1
    (tmp_path / "table.csv").write_bytes(OTHER)
    assert _fetched(remote, tmp_path) == CONTENT


def test_a_place_that_cannot_be_written_is_named(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/table\.csv: expected a place to write the file to"):
        _fetched(remote, tmp_path / "file")


def test_callers_at_once_fetch_once(hub: Hub, remote: Remote, tmp_path: Path) -> None:
    hub.faults = [Fault(delay=0.01, times=99)]
    with ThreadPoolExecutor(4) as pool:
        contents = list(pool.map(lambda _: _fetched(remote, tmp_path), range(4)))
    assert contents == [CONTENT] * 4
    assert len(hub.asked("plain")) == 1


def test_waits_grow_and_follow_the_server_s_wish(hub: Hub, remote: Remote, naps: list[float]) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1.9), usegmt=True)
    busy = {"status": 429, "times": 1}
    hub.faults = [
        Fault(cut_after=0),
        Fault(status=503, headers={"Retry-After": "1"}),
        Fault(**busy, headers={"RateLimit": '"resolvers";r=0;t=2'}),
    ]
    _streamed(remote, Path())
    assert naps == [0.001, 1.0, 2.0]
    hub.faults = [Fault(**busy, headers={"Retry-After": soon}), Fault(**busy, headers={"Retry-After": "soon"})]
    _streamed(remote, Path())
    assert 0 < naps[3] < 2
    assert naps[4] == 0.002


def test_progress_earns_new_tries(hub: Hub, naps: list[float]) -> None:
    content = CONTENT * 40
    hub.faults = [Fault(cut_after=1_100_000, times=7)]
    assert _streamed(Remote(hub.place("long", content), len(content)), Path()) == content
    assert naps == [0.001] * 7


def test_a_stream_can_begin_anywhere(hub: Hub, remote: Remote) -> None:
    hub.faults = [Fault(cut_after=50_000), Fault(ranges=False)]
    with open_remote(remote, 123_456) as stream:
        assert stream.read() == CONTENT[123_456:]


def test_a_stream_gives_no_end_of_wrong_bytes(hub: Hub, remote: Remote) -> None:
    hub.faults = [Fault(body=OTHER)]
    with open_remote(remote) as stream, pytest.raises(DataError, match=SHA256):
        for _ in range(len(CONTENT)):
            assert stream.read(1)


def test_a_stream_needs_little_memory(hub: Hub) -> None:
    content = bytes(20_000_000)
    remote = Remote(hub.place("zeros", content), len(content), sha256(content).hexdigest())
    tracemalloc.start()
    with open_remote(remote) as stream:
        while stream.readinto(memoryview(bytearray(1 << 16))):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "url", ["http://example.com/x", "ftp://example.com/x", "file:///etc/passwd", "x", "https://example.com:x/"]
)
def test_only_https_is_spoken_beyond_this_machine(url: str, read: Read, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected an https address"):
        read(Remote(url, 1, SHA256), tmp_path)


def test_other_hosts_never_see_the_token(hub: Hub, remote: Remote, read: Read, tmp_path: Path) -> None:
    hub.faults = [Fault(status=302, headers={"Location": f"{hub.url}/plain/table.csv"})]
    assert read(remote, tmp_path) == CONTENT
    assert len(hub.requests) == 2
    assert not any("authorization" in request.headers for request in hub.requests)


def test_no_network_is_used_when_it_is_forbidden(
    hub: Hub, remote: Remote, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(remote, tmp_path / "here.csv")
    hub.requests.clear()
    monkeypatch.setenv("WA_BENCH_OFFLINE", "1")
    with pytest.raises(DataError, match=r"WA_BENCH_OFFLINE.*found none; get it by other means"):
        read(remote, tmp_path)
    assert fetch(remote, tmp_path / "here.csv").read_bytes() == CONTENT
    assert hub.requests == []

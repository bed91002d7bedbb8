"""The loader: every product file, a stranger's file, and every malformed file with file and key in three lines."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.errors import InputError
from simcore.loader import list_cores, list_platforms, load_core_table, load_platform, schema, validate_core_file
from simcore.pmceid import pmceid_events

DATA = Path(__file__).parent / "data"
MALFORMED = sorted((DATA / "malformed").glob("platform_*.toml"))
STRANGER = DATA / "platforms" / "stranger.toml"


def error_of(path: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        load_platform(str(path))
    return str(caught.value)


@pytest.mark.parametrize("name", list_platforms())
def test_every_product_platform_loads_and_is_consistent(name):
    platform = load_platform(name)
    numbers = [cpu.number for cpu in platform.cpus]
    assert platform.id == name
    assert numbers == list(range(len(numbers)))
    assert sorted(cpu for domain in platform.perf_domains for cpu in domain.cpus) == numbers
    assert max(platform.capacities()) == 1024
    assert {cpu.core for cpu in platform.cpus} == {core.id for core in platform.core_types}
    assert dict(platform.sources)["soc"]
    assert platform == load_platform(name)


@pytest.mark.parametrize("name", list_cores())
def test_every_product_core_has_a_source_for_each_number(name):
    core = load_core_table(name)
    for key in ("pmuver", "event_counters"):
        if getattr(core.pmu, key) is not None:
            assert core.sources[key]
            assert core.confidence[key]
    assert core.sources["relative_ipc"]
    assert not core.events or core.sources["events"]


def test_there_are_all_socs_and_their_cores():
    assert len(list_platforms()) == 55
    assert {"hurricane-zephyr", "mongoose-m5", "nvidia-denver2", "qcom-kryo"} <= set(list_cores())


def test_every_core_type_stands_on_a_measured_one():
    for name in list_platforms():
        for core in load_platform(name).core_types:
            assert core.rates_like in ("cortex-a55", "cortex-a76")
            assert 0.5 < core.relative_ipc < 2.5


def test_a_strangers_file():
    platform = load_platform(str(STRANGER))
    tiny, huge, little = platform.core_types
    assert [cpu.core for cpu in platform.cpus] == ["tiny", "huge", "cortex-a55", "tiny"]
    assert (tiny.pmu.pmceid0, tiny.pmu.pmceid1) == (1 << 0 | 1 << 8 | 1 << 17 | 1 << 30, 0)
    assert pmceid_events(huge.pmu.pmceid0, huge.pmu.pmceid1) == {0x08, 0x11, 0x3D, 0x3E, 0x3F}
    assert tiny.event_name(0x08) == "INST_RETIRED"
    assert huge.event_name(0x3F) == "STALL_SLOT"
    assert (tiny.rates_like, tiny.relative_ipc) == ("cortex-a55", 1.0)
    assert huge.rates_like == "cortex-a76"
    assert huge.relative_ipc == pytest.approx(2.0 * 1.081)
    assert little.pmu.pmuver == 4


def test_what_a_strangers_file_lacks_is_assumed_aloud():
    assumed = {row.key: row.value for row in load_platform(str(STRANGER)).assumptions}
    assert assumed["perf_domain.mid.khz"] == "one OPP of 2000000 kHz"
    assert assumed["core.tiny.rates"] == "estimate: as cortex-a55, IPC x 1"
    assert assumed["perf_domain.power"] == "no energy model"
    assert "core.cortex-a55.rates" not in assumed


def test_an_own_core_type_wins_over_the_products(tmp_path):
    text = (
        STRANGER.read_text().replace('id = "tiny"', 'id = "cortex-a76"').replace('core = "tiny"', 'core = "cortex-a76"')
    )
    path = tmp_path / "own.toml"
    path.write_text(text)
    assert load_platform(str(path)).core(0).pmu.event_counters == 2


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem.removeprefix("platform_"))
def test_a_malformed_file_is_refused_with_file_and_key(path):
    first = path.read_text().splitlines()[0]
    assert first.startswith("# expect: ")
    message = error_of(path)
    assert message.startswith(str(path))
    assert len(message.splitlines()) <= 3
    for fragment in first.removeprefix("# expect: ").split(" | "):
        assert fragment in message


def test_there_are_enough_malformed_files():
    assert len(MALFORMED) >= 50


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "empty"),
        (b"# only a comment\n", "empty"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"a = '\x00'\n", "broken TOML"),
        (b"a = " + b"[" * 20000, "broken TOML"),
        (b"a = " + b"9" * 10000, "broken TOML"),
        (b"#" * 4_000_001, "too large"),
    ],
    ids=["nothing", "comment", "not_utf8", "nul", "deep", "digits", "large"],
)
def test_a_file_that_is_no_toml_is_refused(tmp_path, content, fragment):
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    message = error_of(path)
    assert message.startswith(str(path))
    assert fragment in message
    assert len(message.splitlines()) <= 3
    assert len(message) < 1000


def test_a_directory_and_a_missing_file_are_refused(tmp_path):
    assert "directory" in error_of(tmp_path)
    assert "cannot read" in error_of(tmp_path / "none.toml")
    assert "cannot read" in error_of("a\0b/c.toml")


def test_an_unknown_platform_offers_near_matches():
    message = error_of("rk3558")
    assert "unknown platform 'rk3558'" in message
    assert "rk3588" in message
    assert error_of("").startswith("unknown platform ''")


def test_a_core_file_is_checked(tmp_path):
    path = tmp_path / "core.toml"
    path.write_text('format = "hetpmu-core/1"\nid = "mine"\n[pmu]\npmuver = 2\n')
    with pytest.raises(InputError, match=r"core\.toml: pmu\.pmuver: PMUVer 2 is reserved"):
        validate_core_file(str(path))
    path.write_text('format = "hetpmu-core/1"\nid = "mine"\n[pmu]\npmuver = 6\n')
    assert validate_core_file(str(path)).pmu.pmuver == 6


def test_schemas():
    assert schema("soc")["properties"]["cluster"]["type"] == "array"
    assert "pmu" in schema("core")["properties"]
    with pytest.raises(InputError, match="unknown kind of file 'sock'"):
        schema("sock")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_mangled_file_escapes_as_anything_but_an_input_error(tmp_path_factory, data):
    lines = STRANGER.read_text().splitlines()
    where = data.draw(st.integers(1, len(lines) - 1))
    mangled = data.draw(st.sampled_from(["", "x = 1", "[", "cpus = [0]", "[[core]]", "khz = [1]", 'name = "\\u0007"']))
    path = tmp_path_factory.mktemp("mangled") / "x.toml"
    path.write_text("\n".join([*lines[:where], mangled, *lines[where + data.draw(st.integers(0, 2)) :]]))
    message = f"{path}"
    try:
        load_platform(str(path))
    except InputError as error:
        message = str(error)
    assert message.startswith(str(path))
    assert len(message.splitlines()) <= 3

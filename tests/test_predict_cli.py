"""`hetpmu predict` as a user types it."""

import json

import pytest

from simcore.app.cli import exit_code

MCF = ("predict", "--silicon", "Kryo 485 Silver", "--suite", "SPECcpu2006", "--workload", "429.mcf")


def test_json_holds_what_the_interface_says(capsys):
    assert exit_code([*MCF, "--freq-khz", "1036800", "--json", "-"]) == 0
    output = capsys.readouterr()
    answer = json.loads(output.out)
    assert list(answer) == ["schema", "silicon", "workload", "freq_khz", "ipc", "seconds", "events"]
    assert answer["schema"] == "hetpmu-predict/1"
    assert (answer["silicon"], answer["workload"], answer["freq_khz"]) == ("Kryo 485 Silver", "429.mcf", 1036800)
    assert answer["ipc"] == pytest.approx(0.1387, abs=5e-5)
    assert answer["seconds"] is None
    assert answer["events"]["L1D_CACHE_REFILL"] == {"code": 3, "per_kinst": pytest.approx(86.6631, abs=1e-4)}
    assert len(answer["events"]) > 60
    assert output.err == ""


def test_seconds_are_those_of_the_instructions(capsys, tmp_path):
    file = tmp_path / "answer.json"
    assert exit_code([*MCF, "--freq-khz", "500000", "--instructions", "1000000", "--json", str(file)]) == 0
    answer = json.loads(file.read_text())
    assert answer["seconds"] == pytest.approx(1e6 / answer["ipc"] / 500e6)
    assert capsys.readouterr().out == ""


def test_text_is_a_table_for_people(capsys):
    assert exit_code([*MCF, "--freq-khz", "1036800", "--instructions", "3785365612"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("429.mcf (SPECcpu2006) alone on Kryo 485 Silver at 1036800 kHz, from rows at 300000,")
    assert lines[1].startswith("IPC 0.1387, 26.3")
    assert "L1D_CACHE_REFILL        0x0003  86.6631" in lines
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"--silicon": "Kryo 485 Sliver"}, ["--silicon", "did you mean Kryo 485 Silver"]),
        ({"--suite": "SPECcpu2066"}, ["--suite", "SPECcpu2006"]),
        ({"--workload": "429.mfc"}, ["--workload", "429.mcf"]),
        ({"--freq-khz": "299999"}, ["--freq-khz", "300000 to 1785600 kHz", "1036800"]),
        ({"--freq-khz": "1785601"}, ["--freq-khz", "300000 to 1785600 kHz"]),
        ({"--freq-khz": "0"}, ["--freq-khz"]),
        ({"--instructions": "0"}, ["--instructions"]),
    ],
)
def test_bad_input_says_what_is_valid(changed, words, capsys, tmp_path):
    options = {"--silicon": "Kryo 485 Silver", "--suite": "SPECcpu2006", "--workload": "429.mcf"}
    options |= {"--freq-khz": "300000", "--json": str(tmp_path / "answer.json"), **changed}
    assert exit_code(["predict", *(word for pair in options.items() for word in pair)]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) <= 3
    assert all(word in error for word in words), error
    assert not (tmp_path / "answer.json").exists()

"""The picture: its size, its formats, and that what it must show is in it."""

import dataclasses
import re

import numpy as np
import pytest

from simcore.app import plotting
from simcore.app.picturing import chosen
from simcore.errors import InputError
from tests.app_samples import lane


def figure(*lanes):
    return plotting.continuity(lanes or (lane(), lane("fixed-counters-only@v8", stalls=())), "title", "subtitle")


def svg(tmp_path, *lanes):
    plotting.save(figure(*lanes), tmp_path / "picture.svg")
    return (tmp_path / "picture.svg").read_text()


def luminance(colour):
    red, green, blue = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_a_png_is_1200_pixels_wide(tmp_path):
    plotting.save(figure(), tmp_path / "picture.png")
    data = (tmp_path / "picture.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(data[16:20], "big") == 1200


def test_equal_lanes_give_equal_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert svg(tmp_path / "one") == svg(tmp_path / "two")
    assert svg(tmp_path, lane(dies=True)) != svg(tmp_path)


def test_a_lane_for_each_policy_and_a_death_with_its_reason(tmp_path):
    drawn = svg(tmp_path, lane(), lane("default-pinned:armv8_cortex_a55@mainline", dies=True, stalls=()))
    texts = re.findall(r"<!-- (.*?) -->", drawn)
    for part in ("default@mainline", "default-pinned:armv8_cortex_a55@mainline", "division by zero", "MHz", "on A76"):
        assert any(part in text for text in texts), part


def test_a_shadow_says_under_which_policy_the_guest_died(tmp_path):
    shadow = dataclasses.replace(lane("fixed-counters-only@v8", dies=True, stalls=()), shadow_of="default@mainline")
    texts = re.findall(r"<!-- (.*?) -->", svg(tmp_path, shadow))
    assert any("the guest died under default@mainline" in text for text in texts)
    assert any("100.0 % of the cycles counted" in text for text in texts)
    assert not any("dies at" in text or "died at" in text or "division" in text for text in texts)


def test_a_figure_has_three_strips_a_lane():
    assert len(figure(lane(), lane(), lane()).axes) == 9


def test_stalls_and_core_types_lie_behind_each_strip():
    with_stall, without = (len(figure(lane(stalls=stalls)).axes[1].patches) for stalls in (((5, 10),), ()))
    assert with_stall == without + 1 == 3


def test_core_types_differ_in_grey():
    greys = [luminance(colour) for colour, _ in plotting.BACKGROUNDS]
    hatches = [hatch for _, hatch in plotting.BACKGROUNDS]
    pairs = [(a, b) for a in range(len(greys)) for b in range(a)]
    assert all(abs(greys[a] - greys[b]) > 20 or hatches[a] != hatches[b] for a, b in pairs)
    assert luminance(plotting.COUNTED) < min(greys) - 60


def test_a_lane_without_rate_or_clock_can_be_drawn(tmp_path):
    silent = lane(dies=True, stalls=())
    assert not np.isfinite(silent.clock_error).any()
    assert "keeps no clock" in svg(tmp_path, silent)


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(InputError, match="picture format"):
        plotting.save(figure(), tmp_path / "picture.jpg")


def test_one_lane_of_each_kind_is_shown_unless_asked():
    found = [
        lane("default@mainline"),
        lane("default-pinned:armv8_cortex_a76@mainline", stalls=()),
        lane("default-pinned:armv8_cortex_a55@mainline", dies=True, stalls=()),
        lane("fixed-counters-only@v8"),
    ]
    assert [shown.policy for shown in chosen(found, ())] == [found[0].policy, found[2].policy, found[3].policy]
    assert chosen(found, ("all",)) == found
    assert chosen(found, ("fixed-counters-only", "default@mainline")) == [found[0], found[3]]
    with pytest.raises(InputError, match="fixed-counters-only"):
        chosen(found, ("fixed-counter",))

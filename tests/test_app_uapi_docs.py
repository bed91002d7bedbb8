"""docs/uapi.md against the command: the fields described, the remark about v6. Its outputs: tests/test_examples.py."""

import re
from pathlib import Path

from simcore.app.uapi_exploring import explore
from simcore.app.uapi_running import as_json, columns_of
from tests.test_docs import DOCS
from tests.uapi_platforms import account, host

PAGE = (DOCS / "uapi.md").read_text()


def test_the_page_describes_every_field():
    columns = columns_of(("v6", "v8"))
    found = account("set FILTER 3:1:deny", kernels=columns)
    answer = as_json("het", host("HET"), columns, 1, "gicv3", found)
    explored = explore(host("HET"), columns, 1).as_json()
    dicts = [answer, answer["host_pmus"][0], answer["columns"][0], answer["steps"][0], answer["state"]["v8"]]
    dicts += [answer["steps"][0]["rules"]["v8"], answer["state"]["v8"]["filter"], explored, explored["groups"][0]]
    section = PAGE.partition("## JSON")[2]
    described = set(re.findall(r'[`"](\w+)[`"]', section))
    assert {key for row in dicts for key in row} <= described


def test_the_page_has_the_remark_about_v6():
    section = " ".join(PAGE.partition("## What the table cannot show")[2].partition("\n## ")[0].split())
    assert "is not limited to fixed-counters-only VMs" in section
    assert "2026-04-20" in section


def test_the_page_is_where_the_readme_says():
    assert "(docs/uapi.md)" in (Path(DOCS).parent / "README.md").read_text()

"""The examples of docs/flows.md run as they stand."""

import re
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[3] / "docs" / "flows.md"


@pytest.mark.slow
def test_that_the_examples_of_the_page_run():
    names = {}
    with torch.random.fork_rng():
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
            exec(compile(block, str(PAGE), "exec"), names)
    assert names["record"].validation[-1] < names["record"].validation[0]
    assert names["p"].sample(2).shape == (2, 2, 64, 64)

from pathlib import Path

import pytest

from seisflow.config import Study, load_study
from seisflow.errors import InputError
from seisflow.study_keys import study_keys

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("name", ["compass_small", "compass"])
def test_that_the_example_studies_are_valid_and_survive_a_round_trip(name, tmp_path):
    study = load_study(EXAMPLES / f"{name}.toml")
    (tmp_path / "again.toml").write_text(study.to_toml())
    assert load_study(tmp_path / "again.toml") == study


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("sed = 1", "sed", "unknown key"),
        ("[geology]\nporosty = 0.2", "geology.porosty", "the keys here are: .*porosity"),
        ("[geology]\nporosity = -0.2", "geology.porosity", "greater than 0"),
        ("[surveys]\ndays = [-10.0, 480.0]", "surveys.days", "after day 0"),
        ("[surveys]\ndays = [480.0, 480.0]", "surveys.days", "increasing"),
        ("[injection]\nstart_day = 500.0", "surveys.days", "injection.start_day"),
        ("[injection]\nx_m = 9000.0", "injection.x_m", "from 300 to 3500 m"),
        ("[injection]\ndepth_m = [100.0, 200.0]", "injection.depth_m", "446 to 2046 m"),
        ("[wells]\nx_m = [10.0]", "wells.x_m", "from 300 to 3500 m"),
        ("[fluids]\nco2_residual = 0.95", "fluids.co2_residual", "below 1"),
        ("[ensemble]\nmembers = 1", "ensemble.members", "greater than or equal to 2"),
        ("[seismic]\nencoded_shots = 99", "seismic.encoded_shots", "seismic.sources"),
        ("[seismic]\nsnr_dB = nan", "seismic.snr_dB", "finite"),
        ('seed = "a"', "seed", "integer"),
        ('methods = ["kalman"]', "methods.0", "open_loop"),
        ("grid = ", "study", "not a TOML file"),
    ],
)
def test_that_a_bad_study_is_refused_by_the_path_of_its_key(text, key, says, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        load_study(file)
    assert caught.value.argument == key
    assert str(caught.value).startswith(key)


def test_that_the_page_of_keys_is_up_to_date_and_explains_every_key():
    page = (EXAMPLES.parent / "docs" / "study.md").read_text()
    assert page == study_keys(), "run `seisflow keys > docs/study.md`"
    assert "|  |" not in page


def test_that_a_missing_study_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml.*no such file"):
        load_study(tmp_path / "none.toml")


def test_that_a_section_path_is_relative_to_the_study_file(tmp_path):
    (tmp_path / "study.toml").write_text('[geology]\nsection = "mine.npz"')
    assert load_study(tmp_path / "study.toml").geology.section == str(tmp_path.resolve() / "mine.npz")


def test_that_a_changed_study_is_checked_again():
    assert Study().changed(seed=7, ensemble={"members": 5}).ensemble.members == 5
    with pytest.raises(InputError, match=r"ensemble\.members"):
        Study().changed(ensemble={"members": 1})

import pickle
from pathlib import Path

import pytest

from seisflow.errors import InputError
from seisflow.study import Study, load_study
from seisflow.study.describe import tables, unit
from seisflow.study.keys_page import keys_markdown

EXAMPLES = Path(__file__).parents[2] / "examples"


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
        ("[seismic]\nshots = [0, 8]", "seismic.shots", "from 0 to 7"),
        ("[seismic]\nshots = [0, 0]", "seismic.shots", "different"),
        ("[seismic]\nshots = [0]\nencoded_shots = 2", "seismic.shots", "either"),
        ("[seismic]\nsnr_dB = nan", "seismic.snr_dB", "from -60 to 200"),
        ("[grid]\nspacing = [6.0, 6.0]", "grid.spacing", "this one is spacing_m, in m"),
        ("[injection]\nrate_Mt_per_year = 1.0", "injection.rate_Mt_per_year", "this one is rate_m3_per_s, in m³/s"),
        ("[fluids]\nco2_viscosity_cP = 0.1", "fluids.co2_viscosity_cP", "co2_viscosity_Pa_s, in Pa s"),
        ("[surveys]\ndayss = [1.0]", "surveys.dayss", r"did you mean days\?"),
        # numbers in another unit: km/s, bar in Pa, cP, g/cm³, ms, per cent, m² for mD
        ("[geology]\nunconformity_velocity_m_per_s = 3.5", "geology.unconformity_velocity_m_per_s", "300 to 10000"),
        ("[fluids]\nreference_pressure_bar = 1.5e7", "fluids.reference_pressure_bar", "0.5 to 3000"),
        ("[fluids]\nbrine_viscosity_Pa_s = 1.0", "fluids.brine_viscosity_Pa_s", "1e-06 to 0.02"),
        ("[fluids]\nco2_density_kg_per_m3 = 0.7", "fluids.co2_density_kg_per_m3", "1 to 3000"),
        ("[seismic]\nsampling_interval_s = 4.0", "seismic.sampling_interval_s", "at most 0.1"),
        ("[geology]\nporosity = 25.0", "geology.porosity", "above 0 and below 1"),
        ("[geology]\nseal_permeability_mD = 1e-18", "geology.seal_permeability_mD", "1e-09 to 1e"),
        # choices that contradict each other
        ("[ensemble]\nmembers = 5", "ensemble.members", '"flow" needs at least 8'),
        ("[seismic]\nfree_surface = true\ndepth_m = [100.0, 2046.0]", "seismic.free_surface", "begins at 100 m"),
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


def test_that_all_faults_of_a_study_are_told_at_once_each_with_its_key_and_what_is_allowed(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(
        'sed = 1\nmethods = ["kalman", "enkf"]\n[geology]\nporosity = -0.1\n[injection]\nx_m = 9000.0\n'
        "[fluids]\nco2_residual = 0.95\n[seismic]\nshots = [0, 0]"
    )
    with pytest.raises(InputError) as caught:
        load_study(file)
    told = str(caught.value).splitlines()
    for key, says in {
        "methods.0 = 'kalman'": "open_loop",
        "geology.porosity = -0.1": "above 0 and below 1",
        "sed = 1": "did you mean seed",
        "injection.x_m = 9000.0": "from 300 to 3500 m",
        "fluids.co2_residual = 0.95": "below 1",
        "seismic.shots = (0, 0)": "from 0 to 7",
    }.items():
        (line,) = [line for line in told if line.startswith(f"{key}: ")]
        assert says in line
    assert len(told) == 6
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # as another process would raise it


def test_that_a_key_that_is_wrong_itself_brings_no_contradictions_with_its_default():
    values = {
        "grid": {"spacing_m": "six"},
        "wells": {"x_m": [10_000.0]},
        "injection": {"start_day": 100.0, "stop_day": 50.0},
    }
    with pytest.raises(InputError) as caught:
        Study.from_dict(values)
    spacing, stop = str(caught.value).splitlines()  # nobody knows how far the grid reaches: nothing about the well
    assert spacing.startswith("grid.spacing_m = 'six': ")
    assert stop == "injection.stop_day = 50.0: it must follow start_day = 100."
    assert Study() == Study.from_dict({})  # the defaults are whole


def test_that_the_page_of_keys_is_up_to_date_and_explains_every_key():
    page = (EXAMPLES.parent / "docs" / "study.md").read_text()
    assert page == keys_markdown(), "run `seisflow keys --markdown > docs/study.md`"
    assert "|  |" not in page


def test_that_a_missing_study_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml.*no such file"):
        load_study(tmp_path / "none.toml")


def test_that_a_section_path_is_relative_to_the_study_file(tmp_path):
    (tmp_path / "study.toml").write_text('[geology]\nsection = "mine.npz"')
    assert load_study(tmp_path / "study.toml").geology.section == str(tmp_path.resolve() / "mine.npz")


def test_that_nothing_is_metered_where_nothing_is_injected():
    nothing = {"injection": {"rate_m3_per_s": 0.0}}
    with pytest.raises(InputError, match=r'surveys\.modalities.*leave "injector" out'):
        Study.from_dict(nothing)
    assert Study.from_dict({**nothing, "surveys": {"modalities": ["wells"]}}).injection.rate_m3_per_s == 0


def test_that_a_changed_study_is_checked_again():
    assert Study().changed(seed=7, ensemble={"members": 50}).ensemble.members == 50
    with pytest.raises(InputError, match=r"ensemble\.members"):
        Study().changed(ensemble={"members": 1})


CHANGED = {
    "name": "a.b_c-1",
    "seed": 11,
    "methods": ["enkf"],
    "grid": {"shape": [20, 18], "spacing_m": [160.0, 85.0]},
    "geology": {"section": 'odd "name"\\ with ümlaut.npz', "porosity": 0.1 + 0.2},  # 0.30000000000000004
    "surveys": {"days": [1e-3, 300], "modalities": ["wells"]},
    "seismic": {"encoded_shots": 2, "memory_GB": 1.5},
    "injection": {"stop_day": 200.0},
}


@pytest.mark.parametrize("comments", [False, True])
@pytest.mark.parametrize("values", [{}, CHANGED])
def test_that_a_study_from_python_and_its_file_are_the_same_thing(values, comments, tmp_path):
    study = Study.from_dict(values)
    if "geology" in values:
        study = study.changed(geology={"section": str(tmp_path / values["geology"]["section"])})
    file = study.save(tmp_path / "first.toml", comments)
    again = load_study(file)
    assert again == study
    assert again.save(tmp_path / "second.toml", comments).read_bytes() == file.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first.toml", "second.toml"]


def test_that_the_commented_file_names_every_key_once_with_its_meaning_and_its_range():
    lines = Study().to_toml(comments=True).splitlines()
    where = {line: i for i, line in enumerate(lines)}
    keys = [(None, name, field) for name, field in Study.model_fields.items() if name not in tables(Study)]
    keys += [(name, key, field) for name, table in tables(Study).items() for key, field in table.model_fields.items()]
    for table, key, field in keys:
        start = where[f"[{table}]"] if table else 0
        (found,) = [
            i for i, line in enumerate(lines)
            if i >= start and line.removeprefix("# ").startswith(f"{key} =") and not any(
                other.startswith("[") for other in lines[start + 1 : i]
            )
        ]  # fmt: skip
        above = []
        while lines[found - 1 - len(above)].startswith("# "):
            above.insert(0, lines[found - 1 - len(above)][2:])
        text = " ".join(above)
        assert text.startswith((field.description or "").replace("``", "`").split()[0]), key
        assert "Allowed: " in text, key


def test_that_every_key_with_a_unit_in_its_name_is_known_with_that_unit():
    assert unit("rate_m3_per_s") == ("rate", "m³/s")
    assert unit("velocity_per_bar_m_per_s") == ("velocity", "m/s per bar")
    assert unit("spacing_m") == ("spacing", "m")
    assert unit("van_genuchten_m")[1] == ""  # Van Genuchten's m is a number
    assert unit("porosity")[1] == ""

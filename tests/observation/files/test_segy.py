import numpy as np
import pytest

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation import Survey, read_segy, write_segy

segyio = pytest.importorskip("segyio")
GRID = Grid((100, 60), (20.0, 20.0), (500.0, 0.0))


def random_records(survey):
    shape = (len(survey.sources), survey.n_samples, len(survey.receivers))
    return np.random.default_rng(4).standard_normal(shape).astype(np.float32)


def test_that_records_and_geometry_come_back_bit_for_bit(tmp_path):
    survey = Survey.surface(GRID, 10.0, 1.0, n_sources=3, n_receivers=7, source_depth=12.5, receiver_depth=7.25)
    records = random_records(survey)
    back = read_segy(write_segy(tmp_path / "line.sgy", survey, records))
    np.testing.assert_array_equal(back.records, records)
    again = back.survey(10.0)
    np.testing.assert_allclose(again.sources, survey.sources, atol=5e-3)  # headers hold centimetres
    np.testing.assert_allclose(again.receivers, survey.receivers, atol=5e-3)
    assert (again.interval, again.n_samples) == (survey.interval, survey.n_samples)
    assert not (tmp_path / "line.sgy.partial").exists()


def test_that_the_headers_say_what_the_standard_asks_for(tmp_path):
    survey = Survey.surface(GRID, 10.0, 1.0, n_sources=2, n_receivers=3, receiver_depth=7.25)
    raw = write_segy(tmp_path / "line.sgy", survey, random_records(survey)).read_bytes()

    def short(byte):  # big-endian, bytes counted from 1 as in the standard
        return int.from_bytes(raw[byte - 1 : byte + 1], "big", signed=True)

    assert short(3501) == 0x0100  # revision 1, which knows format 5, IEEE floats
    assert (short(3503), short(3225), short(3217), short(3221)) == (1, 5, 4000, survey.n_samples)
    assert (short(3213), short(3215), short(3255)) == (3, 0, 1)  # traces a shot, none of them auxiliary; metres
    trace = 3600 + 240 + 4 * survey.n_samples  # the second one
    assert (short(trace + 69), short(trace + 71)) == (-100, -100)
    assert int.from_bytes(raw[trace + 80 : trace + 84], "big", signed=True) == round(100 * survey.receivers[1, 0])
    assert int.from_bytes(raw[trace + 40 : trace + 44], "big", signed=True) == -725


def test_that_an_exchanged_survey_is_written_as_the_field_had_it(tmp_path):
    survey = Survey.seabed(GRID, 10.0, 1.0, n_sources=2, n_receivers=5)
    records = random_records(survey)
    back = read_segy(write_segy(tmp_path / "nodes.sgy", survey, records))
    assert back.records.shape == (5, survey.n_samples, 2)
    np.testing.assert_array_equal(back.exchange().records, records)


def test_that_another_programs_headers_are_understood(tmp_path):
    # Coordinates in whole metres with scalar 10 and 1, shots numbered from 1001, microsecond interval in the binary header.
    spec = segyio.spec()
    spec.sorting, spec.format, spec.samples, spec.tracecount = None, 1, np.arange(50) * 2.0, 6
    data = np.random.default_rng(0).standard_normal((6, 50)).astype(np.float32)
    field = segyio.TraceField
    with segyio.create(str(tmp_path / "other.sgy"), spec) as file:
        file.bin.update({segyio.BinField.Interval: 2000})
        for t in range(6):
            file.header[t] = {
                field.FieldRecord: 1001 + t // 3,
                field.SourceGroupScalar: 10,
                field.SourceX: 100 + t // 3,
                field.GroupX: 70 + t % 3,
                field.GroupY: 7,
                field.SourceDepth: 5,
                field.ReceiverGroupElevation: -9,
            }
            file.trace[t] = data[t]
    back = read_segy(tmp_path / "other.sgy")
    assert back.records.shape == (2, 50, 3)
    assert back.interval == pytest.approx(2e-3)
    np.testing.assert_allclose(back.sources, [[1000, 0, 5], [1010, 0, 5]])
    np.testing.assert_allclose(back.receivers, [[700, 70, 9], [710, 70, 9], [720, 70, 9]])
    np.testing.assert_allclose(back.records[1, :, 2], data[5], rtol=1e-6)  # IBM floats


def test_that_unreadable_files_and_misfits_are_refused(tmp_path):
    survey = Survey.surface(GRID, 10.0, 1.0, n_sources=2, n_receivers=3)
    with pytest.raises(InputError, match="no such file"):
        read_segy(tmp_path / "none.sgy")
    (tmp_path / "text.sgy").write_text("no SEG-Y at all")
    with pytest.raises(InputError, match="cannot read"):
        read_segy(tmp_path / "text.sgy")
    with pytest.raises(InputError, match=r"records\.shape"):
        write_segy(tmp_path / "a.sgy", survey, np.zeros((2, 3, 4)))
    file = write_segy(tmp_path / "b.sgy", survey, random_records(survey))
    with segyio.open(str(file), "r+", ignore_geometry=True) as opened:
        opened.header[4].update({segyio.TraceField.GroupX: 1})
    with pytest.raises(InputError, match="fixed spreads"):
        read_segy(file)

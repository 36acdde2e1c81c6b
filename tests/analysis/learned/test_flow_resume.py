"""An update that is interrupted while it trains goes on behind its last epoch, and ends as if it had not been."""

import numpy as np
import pytest

from seisflow.analysis.base import Evidence
from seisflow.analysis.learned.flow import FlowAnalysis
from seisflow.analysis.transform import Relative, StateTransform
from seisflow.storage.recorder import Stage
from seisflow.storage.store import Store
from tests.analysis.learned.test_flow import QUICK, gaussian_field, half_channels

EPOCHS = 3 * 3  # two Gaussians and the Glow


class Stopped(Exception):  # noqa: N818  not an error
    pass


def test_that_an_interrupted_training_goes_on_behind_its_last_epoch_with_the_same_posterior(tmp_path):
    state, data, observed, noise, _ = gaussian_field(16, 0.25)
    analysis, told = FlowAnalysis(half_channels, StateTransform({"x": Relative()}), **QUICK), []

    def compute(store: Store | None, stop_at: int | None = None):
        def progress(what: str, done: int, total: int) -> None:
            told.append((what, done))
            if len(set(told)) == stop_at:
                raise Stopped

        acting = analysis if store is None else analysis.resumable(store.scratch("flow"))
        return acting.update(state, Evidence(data, observed, noise), np.random.default_rng(1), progress)

    undisturbed = compute(None)
    told.clear()
    store = Store(tmp_path / "run")
    for moment in (2, 4, 7):  # in the first network, in the second, and in the Glow
        with pytest.raises(Stopped):
            compute(store, moment)
    posterior = compute(store)
    np.testing.assert_array_equal(undisturbed.ensemble["x"], posterior.ensemble["x"])
    assert undisturbed.weights.keys() == posterior.weights.keys()
    for name, weights in undisturbed.weights.items():
        np.testing.assert_array_equal(weights, posterior.weights[name], err_msg=name)
    assert len(told) == len(set(told)) == EPOCHS  # no epoch was trained twice
    assert store.scratch("flow").exists()
    store.keep("flow", Stage(posterior.ensemble, {}, posterior.weights))
    assert not store.scratch("flow").exists()


def test_that_a_checkpoint_that_finds_no_space_is_one_clear_error(tmp_path):
    from seisflow.errors import StorageError

    state, data, observed, noise, _ = gaussian_field(16, 0.25)
    (tmp_path / "file").write_text("no folder can be here")
    analysis = FlowAnalysis(half_channels, StateTransform({"x": Relative()}), **QUICK)
    with pytest.raises(StorageError, match=r"the state of a training could not be written .* free some space"):
        analysis.resumable(tmp_path / "file" / "x").update(
            state, Evidence(data, observed, noise), np.random.default_rng(1)
        )

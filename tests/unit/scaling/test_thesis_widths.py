"""Every model of the shipped experiments that has a fit meets its target; the thesis has no hole."""

import pytest

from bench.manifests.experiment import find, load, requests
from bench.scaling import NoFitError, fits, scale
from bench.zoo import architecture, dataset


@pytest.mark.parametrize("name", ["thesis", "demo", "why"])
def test_every_model_is_within_half_a_percent_of_its_target(name: str) -> None:
    errors = {}
    for wanted in requests(load(find(name))):
        net, task = architecture(wanted.architecture), dataset(wanted.dataset)
        fit = fits.load_named(wanted.fit or wanted.stand_in) if wanted.fit or wanted.stand_in else None
        try:
            scaled = scale(net, task, wanted.method, wanted.ratio, wanted.ratio_of, fit, wanted.align)
        except NoFitError:
            assert name != "thesis"
            continue
        errors[wanted.id] = abs(scaled.error)
    assert len(errors) >= 28
    assert {model: error for model, error in errors.items() if error > 0.005} == {}

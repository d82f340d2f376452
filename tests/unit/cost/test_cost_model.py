"""What a device costs any network: sums, intervals, the tuned range, and what an odd width costs."""

import math
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from bench.cost import CostModel, ExtrapolationError, PredictedFigure, ProfileError, design
from bench.cost.calibration import judge, observe, samples_of
from bench.cost.fitting import profiler_cost
from bench.cost.memory import fit_memory
from bench.cost.profile import Fitted, Measurement, Profile
from bench.zoo import ARCHITECTURES, architecture, dataset
from tests.unit.cost import synthetic_profile as synthetic

DATASETS = ("cifar10", "tinyimagenet")


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel(synthetic.profile())


def some_widths(name: str, seed: int, unit: int = 1) -> list[int]:
    random, net = Random(f"{name}{seed}"), architecture(name)
    return [max(unit, 2, int(w * random.uniform(0.15, 0.7)) // unit * unit) for w in net.default_widths]


def estimates(model: CostModel, name: str) -> Iterator[tuple[PredictedFigure, float]]:
    """Predicted and true latencies of networks that were not measured, one a data set."""
    for seed, data in enumerate(DATASETS):
        widths = some_widths(name, seed)
        item = design.Item(name, data, None, tuple(widths))
        found = model.predict(architecture(name), widths, dataset(data)).latency
        yield found, synthetic.true_seconds(item)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_that_was_not_measured_is_predicted_within_a_tenth(model, name):
    for found, true in estimates(model, name):
        assert abs(found.value / true - 1) < 0.1
        assert 0 < found.low < found.value < found.high


@pytest.fixture(scope="module")
def told() -> CostModel:
    fitted = Fitted(block=synthetic.BLOCK, stretch=2.0, networks=24)
    return CostModel(observe(Profile.model_validate({**synthetic.told(), "fitted": fitted.model_dump()})))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_kernels_seen_in_their_place_say_more_than_many_parts(told, name):
    """A third of the measurements, each slowed by other work under the profiler, which costs time itself."""
    for found, true in estimates(told, name):
        assert abs(found.value / true - 1) < 0.05


def test_what_the_profiler_costs_is_found_among_networks_slowed_by_other_work():
    random = np.random.default_rng(1)
    seen = []
    for count in range(10, 90):
        times = random.lognormal(math.log(2e-5), 1, count)
        slowed = random.choice([1, 1, 1, 1.4])
        seen.append((times.sum(), (times + 6e-6) * slowed))
    assert profiler_cost(seen) == pytest.approx(6e-6, rel=0.15)
    assert profiler_cost([]) == 0


def test_memory_that_follows_weights_and_activations_is_predicted(model):
    widths = some_widths("resnet50", 5)
    found = model.predict(architecture("resnet50"), widths, dataset("cifar10"))
    true = synthetic.bytes_of(design.Item("resnet50", "cifar10", None, tuple(widths)))
    for name, bytes_ in true.items():
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(bytes_, rel=0.001)
        if name == "peak":
            assert math.isnan(estimate.low)
            assert math.isnan(estimate.high)
        else:
            assert estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.parametrize("parts", [False, True])
def test_the_interval_of_memory_is_relative_and_holds_networks_of_all_sizes(noise, parts):
    random = Random(9)

    def of(item):
        seen = {n: round(x * math.exp(random.gauss(0, noise))) for n, x in synthetic.bytes_of(item).items()}
        return Measurement(**{**synthetic.measurement(item, 0.0), "memory": seen})

    items = design.parts(60, 1) if parts else design.networks(60, 1)
    fit = fit_memory([of(each) for each in items], "process", 8)
    assert math.log(fit.spread) == pytest.approx(2 * noise, rel=0.4)
    assert math.isnan(fit_memory([of(each) for each in items], "peak", 8).spread)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_whole_is_the_sum_of_its_segments(model, name):
    net, task, widths = architecture(name), dataset("cifar10"), some_widths(name, 1)
    found, layout, seconds = model.predict(net, widths, task), model.START, model.base_seconds(net, task)
    held, most = 0, 0
    for segment in model.segments(net, task):
        entry = 0 if segment.entry is None else widths[segment.entry]
        cost = model.cost(segment, entry, [widths[i] for i in segment.own], layout)
        seconds, layout = seconds + cost.seconds, cost.layout
        held, most = held + cost.weights, max(most, cost.live)
    assert found.latency.value == pytest.approx(seconds + model.far_seconds(net, held))
    for memory in ("process", "model", "peak"):
        assert getattr(found, memory).value == pytest.approx(model.memory(memory, held, most))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layers_share_all_of_the_latency(model, name):
    layers = model.explain(architecture(name), some_widths(name, 2), dataset("cifar10"))
    assert [layer.layer for layer in layers] == list(architecture(name).layers)
    assert math.isclose(sum(layer.share for layer in layers), 1)
    assert all(layer.share > 0 for layer in layers)


def test_an_odd_width_costs_and_an_aligned_one_does_not(model):
    net, task = architecture("vgg11"), dataset("cifar10")
    even = [32, 64, 64, 64, 128, 128, 128, 128]
    odd = [*even[:3], 65, *even[4:]]
    assert all(layer.odd_seconds == 0 for layer in model.explain(net, even, task))
    found = {layer.layer: layer for layer in model.explain(net, odd, task)}["conv3"]
    assert found.aligned == 64
    more = model.predict(net, odd, task).latency.value - model.predict(net, even, task).latency.value
    assert found.odd_seconds == pytest.approx(more)
    assert more > 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_larger_images_take_longer(model, name):
    widths = some_widths(name, 3, unit=8)
    small, large = (model.predict(architecture(name), widths, dataset(d)) for d in DATASETS)
    assert large.latency.value > small.latency.value


def test_beyond_the_tuned_range_it_refuses_unless_asked_and_then_says_so(model):
    net, task = architecture("vgg11"), dataset("cifar10")
    widths = [400, *some_widths("vgg11", 1)[1:]]
    with pytest.raises(
        ExtrapolationError, match=r"conv0 = 400, tuned are 2 to 288.*--extrapolate"
    ) as refusal:
        model.predict(net, widths, task)
    assert "\n" not in str(refusal.value)
    assert model.predict(net, widths, task, extrapolate=True).outside == ("conv0 = 400, tuned are 2 to 288",)
    with pytest.raises(ExtrapolationError, match="224 pixels"):
        model.predict(net, some_widths("vgg11", 1), dataset("imagenet"))


def test_the_channel_block_is_found_in_the_measurements():
    fitted = judge(synthetic.profile())
    assert fitted.block == synthetic.BLOCK
    assert fitted.networks == 16
    assert fitted.median_error < 0.05


def test_a_profile_of_another_environment_is_refused_by_what_differs():
    profile = synthetic.profile()
    profile.check(device="nowhere", backend="onnxruntime", threads=1, cpu=None)
    with pytest.raises(ProfileError, match=r"threads 1, not 4; .*tune --device pi4") as refusal:
        profile.check(device="pi4", threads=4)
    assert "device nowhere, not pi4" in str(refusal.value)
    profile.check(setup={"power mode": "10W"})  # an older profile does not know its own
    known = profile.environment.model_copy(update={"setup": {"power mode": "MAXN"}})
    with pytest.raises(ProfileError, match="power mode MAXN, not 10W; option arena default, not False"):
        profile.model_copy(update={"environment": known}).check(
            setup={"power mode": "10W", "option arena": "False"}
        )


def test_a_sample_is_whole_or_a_part():
    samples = samples_of(synthetic.profile(), 8)
    assert sum(sample.whole is not None for sample in samples) == 16


def test_a_design_that_lacks_a_kind_of_kernel_refuses_and_extrapolates_when_asked() -> None:
    data = synthetic.data()
    only = [m for m in data["measurements"] if m["architecture"] == "vgg11"]
    fitted = Fitted(block=synthetic.BLOCK, stretch=2.0, networks=4)
    model = CostModel(Profile.model_validate({**data, "measurements": only, "fitted": fitted.model_dump()}))
    net, widths = architecture("mobilenetv2"), some_widths("mobilenetv2", 1)
    with pytest.raises(ExtrapolationError, match="no network of mobilenetv2 was measured"):
        model.predict(net, widths, dataset("cifar10"))
    assert 0 < model.predict(net, widths, dataset("cifar10"), extrapolate=True).latency.value < 1


def test_a_few_accidental_matches_of_a_profiler_that_sees_other_kernels_count_for_nothing() -> None:
    data = synthetic.data()
    rows = [dict(m) for m in data["measurements"]]
    for row in rows[:10]:
        kernels = design.kernels(
            design.Item(row["architecture"], row["dataset"], row["part"], tuple(row["widths"])), 8
        )
        row["kernels"] = [1e-5] * len(kernels)
    samples = samples_of(Profile.model_validate({**data, "measurements": rows}), synthetic.BLOCK)
    assert all(sample.observed is None for sample in samples)


def test_figures_that_are_unknown_are_null_in_json() -> None:
    assert PredictedFigure(math.nan, 1.0, math.nan).data() == {"value": None, "low": 1.0, "high": None}

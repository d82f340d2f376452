"""An experiment file becomes a list of wanted models, and its mistakes are reported with what is allowed."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.manifests import reader
from bench.manifests.experiment import Experiment, Request, find, load, parse_model_id, requests
from bench.zoo import ARCHITECTURES, DATASETS


def parse(text):
    return reader.parse(text, Experiment, "x.yaml")


GROUP = "{architectures: [vgg11], dataset: cifar10, methods: [uniform], ratios: [0.5], ratio_of: width}"

MISTAKES = """\
name: wrong
groups:
  - architectures: [vgg11, vgg16]
    dataset: cifar11
    methods: [unifrom]
    ratios: [0.25, -1]
    ratio_of: weight
measure: {processes: 0, min_samples: 50, max_samples: 10}
"""


EXPECTED = """\
x.yaml:3: groups[0].architectures[1]: unknown value 'vgg16' (did you mean vgg11? \
allowed: vgg11, mobilenetv2, preact_resnet18, resnet50)
x.yaml:4: groups[0].dataset: unknown value 'cifar11' (did you mean cifar10? \
allowed: cifar10, cifar100, tinyimagenet, imagenet, digits)
x.yaml:5: groups[0].methods[0]: unknown value 'unifrom' (did you mean uniform? \
allowed: uniform, neuralscale, aligned, device)
x.yaml:6: groups[0].ratios[1]: must be greater than 0, not -1
x.yaml:7: groups[0].ratio_of: unknown value 'weight' (allowed: params, width, macs, latency, memory)
x.yaml:8: measure.processes: must be greater than or equal to 1, not 0"""


def test_every_mistake_is_told_at_once_with_its_line_and_the_allowed_values():
    with pytest.raises(reader.ManifestError) as caught:
        parse(MISTAKES)
    assert str(caught.value) == EXPECTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"name: x\ngroups: [{GROUP}]\nmeasure: {{min_samples: 50, max_samples: 10}}",
         "x.yaml:3: measure: min_samples (50) is above max_samples (10)"),
        ("name: x\ngroups: []", "x.yaml:2: groups: must have at least 1 item, not 0"),
        (f"name: ../x\ngroups: [{GROUP}]", "x.yaml:1: name: string should match pattern"),
        (f"name: x\ngroups: [{GROUP[:-1]}, align: 0}}]", "align: must be greater than or equal to 1"),
        (f"name: x\ngroups: [{GROUP[:-1]}, align: []}}]", "align: must have at least 1 item, not 0"),
        (f"name: x\ngroups: [{GROUP[:-1]}, fit: a, stand_in: b}}]", "fit and stand_in exclude each other"),
        (f"name: x\ngroups: [{GROUP}]\naccuracy: [guessed]", "(allowed: published, trained)"),
    ],
)  # fmt: skip
def test_a_contradiction_is_one_line(text, expected):
    with pytest.raises(reader.ManifestError) as caught:
        parse(text)
    assert expected in str(caught.value)


def test_the_demo_is_the_published_setting():
    wanted = requests(load(find("demo")))
    assert len(wanted) == 34
    assert {r.ratio_of for r in wanted} == {"width"}
    assert Counter((r.architecture, r.dataset, r.method) for r in wanted) == {
        ("vgg11", "cifar10", "uniform"): 4,
        ("vgg11", "cifar10", "neuralscale"): 4,
        ("mobilenetv2", "cifar100", "uniform"): 4 + 3,  # aligned beside
        ("mobilenetv2", "cifar100", "neuralscale"): 4 + 3,
        ("preact_resnet18", "cifar100", "uniform"): 4,
        ("preact_resnet18", "cifar100", "neuralscale"): 4,
        ("resnet50", "cifar100", "uniform"): 4,
    }


def test_the_thesis_has_four_architectures_at_four_shares_by_two_methods_with_and_without_alignment():
    wanted = requests(load(find("thesis")))
    assert len(wanted) == 4 * 4 * 2 * 2
    assert Counter((r.method, r.align) for r in wanted) == {
        ("uniform", None): 16,
        ("uniform", 8): 16,
        ("neuralscale", None): 16,
        ("neuralscale", 8): 16,
    }
    assert {r.ratio_of for r in wanted} == {"params"}
    assert {r.architecture for r in wanted} == set(ARCHITECTURES)


@pytest.mark.parametrize("name", ["demo", "thesis", "smoke", "why", "digits"])
def test_every_shipped_experiment_is_called_as_its_file(name):
    assert load(find(name)).name == name


def test_an_unknown_experiment_lists_the_known_ones():
    with pytest.raises(reader.ManifestError, match=r"did you mean thesis\? allowed: .*demo.*smoke.*thesis"):
        find("thesys")


def test_a_path_is_taken_as_it_is(tmp_path):
    assert find(str(tmp_path / "own.yaml")) == tmp_path / "own.yaml"
    with pytest.raises(reader.ManifestError, match="no such file"):
        load(tmp_path / "own.yaml")


def test_models_that_two_groups_want_are_made_once():
    text = f"name: x\ngroups: [{GROUP}, {GROUP.replace('[0.5]', '[0.5, 1]')}]"
    assert [r.id for r in requests(parse(text))] == ["vgg11-cifar10-uniform-w0.5", "vgg11-cifar10-uniform-w1"]


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (Request("vgg11", "cifar10", "uniform", 0.25, "params"), "vgg11-cifar10-uniform-p0.25"),
        (Request("vgg11", "cifar10", "uniform", 0.25, "macs", batch=4), "vgg11-cifar10-uniform-m0.25-b4"),
        (Request("vgg11", "digits", "uniform", 1, "width", align=16), "vgg11-digits-uniform16-w1"),
        (Request("vgg11", "digits", "neuralscale", 1, "width", fit="own"), "vgg11-digits-neuralscale-w1-own"),
    ],
)  # fmt: skip
def test_a_model_is_named_by_what_it_is(request_, name):
    assert request_.id == name


def expanded(methods, **more):
    group = {"architectures": ["vgg11"], "dataset": "cifar10", "ratios": [0.5], "ratio_of": "width", **more}
    return requests(Experiment.model_validate({"name": "x", "groups": [{**group, "methods": methods}]}))


def test_an_alignment_is_of_every_method_and_a_fit_only_of_those_that_scale_by_one():
    uniform, neuralscale = expanded(["uniform", "neuralscale"], align=8, fit="own")
    assert (uniform.fit, uniform.align) == (None, 8)
    assert (neuralscale.fit, neuralscale.align) == ("own", 8)


def test_several_alignments_expand_and_multiples_of_one_are_none():
    assert [r.id for r in expanded(["uniform"], align=[1, 8])] == [
        "vgg11-cifar10-uniform-w0.5",
        "vgg11-cifar10-uniform8-w0.5",
    ]


def test_aligned_is_neuralscale_in_multiples_of_8_and_made_once():
    assert [r.id for r in expanded(["aligned"])] == ["vgg11-cifar10-neuralscale8-w0.5"]
    assert expanded(["aligned", "neuralscale"], align=16) == expanded(["neuralscale"], align=16)
    assert parse_model_id("vgg11-cifar10-aligned-w0.5") == parse_model_id("vgg11-cifar10-neuralscale8-w0.5")


def test_a_stand_in_is_no_part_of_a_name_until_it_is_needed():
    (request,) = expanded(["neuralscale"], stand_in="other")
    assert (request.id, request.stand_in) == ("vgg11-cifar10-neuralscale-w0.5", "other")


@given(st.deferred(lambda: wanted_models))
def test_a_name_leads_back_to_the_model(request_):
    assert parse_model_id(request_.id) == request_


wanted_models = st.builds(
    Request,
    st.sampled_from(sorted(ARCHITECTURES)),
    st.sampled_from(sorted(DATASETS)),
    st.sampled_from(["uniform", "neuralscale"]),
    st.integers(1, 400).map(lambda n: n / 100),
    st.sampled_from(["params", "width", "macs"]),
    st.none() | st.sampled_from(["own", "vgg11-cifar10"]),
    st.none() | st.sampled_from([8, 16]),
    st.sampled_from([1, 4]),
)


@given(wanted_models, wanted_models)
def test_different_models_have_different_names_that_are_safe_as_file_names(first, second):
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", first.id)
    shown = [(r.method, r.align) if r.align else r.method for r in (first, second)]
    same = shown[0] == shown[1] and all(
        getattr(first, name) == getattr(second, name)
        for name in ("architecture", "dataset", "ratio", "ratio_of", "fit", "batch")
    )
    assert (first.id == second.id) == same

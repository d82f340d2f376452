"""From requests to models with widths: decided before anything is built, so that bad input fails at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast
from zlib import crc32

from bench.export.errors import ExportError
from bench.export.trained import Trained, find_trained
from bench.manifests.accuracies import lookup
from bench.manifests.experiment import ON_DEVICE, Experiment, Request, requests
from bench.record.bundle import SkippedModel
from bench.record.stated import StatedAccuracy, StatedPrediction
from bench.record.types import ModelFacts
from bench.scaling import NoFitError, Scaled, ScalingError, scale
from bench.zoo import architecture, dataset

if TYPE_CHECKING:
    from bench.cost import CostModel
    from bench.scaling.device_prices import DevicePrices


@dataclass(frozen=True)
class Planned:
    """A model that can be built: the request, and the widths that answer it."""

    request: Request
    scaled: Scaled
    accuracy: StatedAccuracy | None = None
    trained: Trained | None = None
    predicted: StatedPrediction | None = None  # by the profile that its widths were chosen on

    @property
    def seed(self) -> int:
        """The seed of the random weights: the same for the same model id, everywhere."""
        return crc32(self.request.id.encode())

    def entry(self) -> ModelFacts:
        """Return what the bundle states about the model, apart from files (docs/formats.md)."""
        request, scaled = self.request, self.scaled
        target = round(scaled.target)
        return {
            "architecture": request.architecture,
            "dataset": request.dataset,
            "classes": dataset(request.dataset).classes,
            "method": request.method,
            "ratio": request.ratio,
            "ratio_of": request.ratio_of,
            "widths": list(scaled.widths),
            "params": scaled.params,
            "macs": scaled.macs,
            "target_params": target if request.ratio_of in ("params", "width") else None,
            "target_macs": target if request.ratio_of == "macs" else None,
            "align": scaled.align,
            "fit": scaled.fit,
            "fit_quality": scaled.fit_quality,
            "fit_dataset": scaled.fit_dataset,
            "fit_resolution": scaled.fit_resolution,
            "batch": request.batch,
            "precision": "fp32",
            "weights": str(self.trained or f"random seed {self.seed}"),
            "weights_recipe": self.trained.recipe if self.trained else None,
            "accuracy": self.accuracy,
            **({"predicted": self.predicted} if self.predicted else {}),
        }


@dataclass(frozen=True)
class Skipped:
    """A model that cannot be made yet: why not, and the command that would change that, '' for none."""

    id: str
    reason: str
    command: str

    def entry(self) -> SkippedModel:
        """Return it as the bundle has it."""
        return {"id": self.id, "reason": self.reason, "command": self.command}


def plan(
    experiment: Experiment, batch: int | None = None, weights: Path | None = None, stand_ins: bool = True
) -> tuple[list[Planned], list[Skipped]]:
    """Scale every request, look up its accuracy, and its trained weights in the folder `weights`.

    Without `stand_ins`, models that have no other fit are skipped, as those without one are. ExportError
    names all requests that no widths can answer.
    """
    found, skipped, problems = [], [], []
    for request in requests(experiment, batch):
        try:
            found.append(plan_one(_settled(request, stand_ins), experiment.accuracy, weights))
        except NoFitError as error:
            reason = f"no fit for {request.architecture} on {request.dataset}"
            skipped.append(Skipped(request.id, reason, error.command))
        except ScalingError as error:
            problems.append(f"{request.id}: {error}")
    if problems:
        raise ExportError("\n".join(problems))
    return found, skipped


def plan_one(request: Request, sources: Sequence[str] = (), weights: Path | None = None) -> Planned:
    """Do as `plan` for one request; raise ScalingError, or NoFitError where it needs a search first."""
    prices = _prices(request)
    scaled = _scale(request, prices)
    network = request.architecture, request.dataset, scaled.widths, scaled.params
    known = lookup(*network, sources, exact=bool(scaled.align and scaled.align > 1))
    trained = find_trained(weights, request.of_one_image.id, scaled.widths) if weights else None
    return Planned(request, scaled, known, trained, _predicted(prices, request, scaled) if prices else None)


def _settled(request: Request, stand_ins: bool) -> Request:
    """With its stand-in as the fit where there is no real one: the model's name then shows it."""
    from bench.scaling import fits

    if request.method == "uniform" or request.fit or (request.stand_in is None and stand_ins):
        return request
    missing = fits.real(request.architecture, dataset(request.dataset)) is None
    if missing and not stand_ins:
        raise NoFitError(request.architecture, request.dataset)
    return replace(request, fit=request.stand_in if missing else None, stand_in=None)


def _prices(request: Request) -> "DevicePrices | None":
    """The profile that widths are chosen on, as a price list."""
    if request.profile is None:
        return None
    from bench.scaling.device_prices import DevicePrices

    return DevicePrices(_model(request.profile), architecture(request.architecture), dataset(request.dataset))


@cache
def _model(profile: str) -> "CostModel":
    from bench.cost import CostModel, find_profile

    return CostModel(find_profile(profile))


def _predicted(prices: "DevicePrices", request: Request, scaled: Scaled) -> StatedPrediction | None:
    """What the profile predicts of one image, with 95 % intervals; base units. None beyond its range and
    of a batch."""
    from bench.cost import ExtrapolationError

    try:
        found = prices.predict(scaled.widths)
    except ExtrapolationError:
        if request.ratio_of in ON_DEVICE:
            raise
        return None
    if request.batch != 1:
        return None
    memory = found.process.data()
    profile = prices.model.profile
    stated = {
        "profile": profile.name,
        **profile.environment.model_dump(exclude_none=True),
        **({"emulated": profile.emulated} if profile.emulated else {}),
        "latency": found.latency.data(),
        "memory": None if memory["value"] is None else memory,
    }
    return cast("StatedPrediction", stated)


def _scale(request: Request, prices: "DevicePrices | None") -> Scaled:
    from bench.scaling import fits, within

    fit = fits.load_named(request.fit) if request.fit else None
    if request.method == "device" or prices:
        return within.by_ratio(
            architecture(request.architecture),
            dataset(request.dataset),
            request.method,
            request.ratio,
            request.ratio_of,
            fit,
            request.align,
            prices,
        )
    return scale(
        architecture(request.architecture),
        dataset(request.dataset),
        request.method,
        request.ratio,
        request.ratio_of,
        fit=fit,
        align=request.align,
    )

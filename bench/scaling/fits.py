"""Fits: alpha and beta of a search, with who made them and how (`manifests/scaling/*.yaml`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.manifests import reader, search_path
from bench.record import files
from bench.scaling.errors import NoFitError, ScalingError
from bench.scaling.regression import Regression
from bench.zoo import Architecture, Dataset

KIND = "scaling"
STAND_IN: Literal["stand-in"] = "stand-in"


class Provenance(reader.Section):
    """Where a fit comes from."""

    searched_by: str = Field(description="authors of the search, or orbitbench and its version")
    data: str = Field(description="what the search trained on")
    iteration: int = Field(ge=1, description="round of architecture descent that this fit is of, from 1")
    iterations: int = Field(ge=1, description="rounds that the search had")
    source: str = Field(description="URL, or the command that made it")
    commit: str | None = None
    record: str | None = Field(None, description="the pruning record that was fitted")
    licence: str | None = None
    note: str | None = None
    settings: dict[str, str | int | float | bool | None] = Field(default_factory=dict)


class Fit(reader.Manifest):
    """width_l = alpha_l * tau ** beta_l; all betas zero means: scale alpha uniformly."""

    name: str
    architecture: str
    dataset: str
    resolution: int = Field(ge=1, description="pixels a side of the images that the search trained on")
    quality: Literal["published", "searched", "stand-in"] = Field(
        description="stand-in: of a search too small to decide anything; it enters no verdict"
    )
    preferred: bool = Field(default=False, description="the one to take when no fit is named")
    count: Literal["true", "published"] = Field(description="how parameters were counted for the regression")
    rows: int | None = Field(ge=1, description="rows of the pruning record; null where it is lost")
    rmse: float | None = Field(None, ge=0, description="root mean square residual of ln(width)")
    provenance: Provenance
    alpha: list[Annotated[float, Field(gt=0)]]
    beta: list[float]

    @model_validator(mode="after")
    def _same_length(self) -> Fit:
        if len(self.alpha) != len(self.beta):
            raise ValueError(f"alpha has {len(self.alpha)} entries, beta {len(self.beta)}")
        return self

    def quality_on(self, dataset: Dataset) -> str:
        """Return how good the fit is for networks on `dataset`: a stand-in if searched on other images."""
        same = (self.dataset, self.resolution) == (dataset.name, dataset.size)
        return self.quality if same else STAND_IN

    def check(self, architecture: Architecture) -> None:
        """ScalingError unless this fit is of `architecture` and has a figure for each of its layers."""
        if self.architecture != architecture.name:
            raise ScalingError(f"fit {self.name} is of {self.architecture}, not of {architecture.name}")
        if len(self.alpha) != len(architecture.layers):
            raise ScalingError(
                f"fit {self.name} has {len(self.alpha)} layers, but {architecture.name} has "
                f"{len(architecture.layers)} searchable ones"
            )


def load(path: Path | str) -> Fit:
    """Read one fit; raises ManifestError with every mistake of the file."""
    return reader.load(path, Fit)


def load_named(name: str) -> Fit:
    """Return the fit at the path `name`, or called `name` in manifests/scaling."""
    if Path(name).suffix in (".yaml", ".yml") or "/" in name:
        return load(name)
    known = search_path.files(KIND)
    if name not in known:
        raise ScalingError(f"unknown fit {name!r}; known: {', '.join(sorted(known))}")
    return load(known[name])


def find(architecture: str, dataset: str) -> Fit:
    """Return the fit for an architecture on a data set: the only one, or the preferred one; stand-ins come
    last.

    Raises NoFitError, which names the command that would make one, or ScalingError if several compete.
    """
    fits = [
        load(path)
        for name, path in sorted(search_path.files(KIND).items())
        if name.startswith(f"{architecture}-{dataset}")
    ]
    fits = [fit for fit in fits if (fit.architecture, fit.dataset) == (architecture, dataset)]
    if not fits:
        raise NoFitError(architecture, dataset)
    fits = [fit for fit in fits if fit.quality != STAND_IN] or fits
    chosen = [fit for fit in fits if fit.preferred] or fits
    if len(chosen) > 1:
        names = ", ".join(fit.name for fit in chosen)
        raise ScalingError(f"several fits for {architecture} on {dataset}: {names}; name one with --fit")
    return chosen[0]


def known(architecture: str, dataset: str) -> Fit | None:
    """Return what `find` does; None where there is no fit."""
    try:
        return find(architecture, dataset)
    except NoFitError:
        return None


def real(architecture: str, dataset: Dataset) -> Fit | None:
    """Return the fit that `find` finds, unless it is a stand-in on this data set.

    None where there is none.
    """
    try:
        fit = find(architecture, dataset.name)
    except NoFitError:
        return None
    return None if fit.quality_on(dataset) == STAND_IN else fit


def from_record(
    name: str, architecture: str, dataset: Dataset, count: str, found: Regression, record: str, source: str
) -> Fit:
    """Return a fit out of somebody's pruning record; who searched, and how well, is for the user to fill in.

    It is a stand-in until then: a record does not tell the settings of its search.
    """
    provenance = Provenance(
        searched_by="unknown: fitted from a record",
        data=dataset.name,
        iteration=1,
        iterations=1,
        source=source,
        record=record,
    )
    return Fit(
        name=name,
        architecture=architecture,
        dataset=dataset.name,
        resolution=dataset.size,
        quality=STAND_IN,
        count=count,  # type: ignore[arg-type]  # checked by counter, and again by the model
        rows=found.rows,
        rmse=found.rmse,
        provenance=provenance,
        alpha=found.alpha,
        beta=found.beta,
    )


def text(fit: Fit) -> str:
    """Return a fit as YAML, figures in full precision and one list a line."""
    import yaml

    data = {"schema": Fit.SCHEMA, **fit.model_dump(exclude={"alpha", "beta"})}
    head = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
    lists = {"alpha": list(fit.alpha), "beta": list(fit.beta)}
    return head + yaml.safe_dump(lists, sort_keys=False, default_flow_style=None, width=110)


def save(fit: Fit, path: Path | str) -> None:
    """Write a fit as YAML, whole or not at all; ScalingError where the file cannot be written."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(str(path), text(fit).encode())
    except OSError as error:
        raise ScalingError(f"{path}: cannot be written: {error.strerror}") from None

"""`manifests/claims/*.yaml`: claims as data. Every mistake of a file is reported with its line."""

import math
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from bench.manifests import methods, reader, search_path
from orchestrate.analysis.claims import Claim
from orchestrate.errors import BadInput

Positive = Annotated[float, Field(gt=0)]
Method = Annotated[str, reader.one_of(methods.WRITTEN), Field(json_schema_extra={"enum": [*methods.WRITTEN]})]
Side = tuple[str, int]  # a method, and what its widths are multiples of


class StatedClaim(reader.Section):
    """One claim. It holds where the whole interval of the ratio method / baseline is in holds_from ..

    holds_to.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="short name, unique in the file")
    text: str = Field(min_length=1, max_length=300, description="the claim as a sentence")
    processor: Literal["gpu", "cpu"] = Field(description="the devices it is about")
    quantity: Literal["latency", "accuracy_per_mb", "mb_per_mparam", "memory", "accuracy", "energy"]
    statistic: Literal["ratio", "spread"] = Field(
        "ratio", description="ratio: method / baseline; spread: the larger / the smaller of the two"
    )
    method: Method = Field(
        description="uniform, neuralscale, device, or aligned: neuralscale in multiples of 8"
    )
    baseline: Method = Field(
        "uniform", description="another one; of two methods both are aligned, or neither"
    )
    ratio_of: list[Literal["params", "width", "macs", "latency", "memory"]] = Field(
        ["params", "width"], min_length=1
    )
    claimed: Positive = Field(
        description="the ratio that was claimed, shown beside what was measured; 1 where only a direction was"
    )
    holds_from: Positive | None = Field(None, description="null: no lower bound")
    holds_to: Positive | None = Field(None, description="null: no upper bound")

    @model_validator(mode="after")
    def region(self) -> Self:
        """Refuse a region that no ratio could leave, or that no ratio could enter."""
        if self.holds_from is None and self.holds_to is None:
            raise ValueError("a claim needs holds_from or holds_to: nothing could contradict it")
        if self.statistic == "spread" and (self.holds_to or math.inf) <= 1:
            raise ValueError("a spread is never below 1: holds_to must be above 1")
        if not (self.holds_from or 0) < (self.holds_to or math.inf):
            raise ValueError(f"holds_from {self.holds_from} must be below holds_to {self.holds_to}")
        return self

    @model_validator(mode="after")
    def two_sides(self) -> Self:
        """Refuse what is compared with itself: all its pairs are of one network."""
        above, below = self.sides
        if above == below:
            raise ValueError(f"{self.method} is compared with itself: give another baseline")
        return self

    @property
    def sides(self) -> tuple[Side, Side]:
        """Method and baseline. Rounding moves figures by itself, so aligned is compared with aligned.

        But for two alignments of one method, `aligned` / `neuralscale`: those differ in nothing else.
        """
        above, below = (methods.canonical(name, None) for name in (self.method, self.baseline))
        both = max(above[1] or 1, below[1] or 1)
        if above[0] != below[0]:
            return (above[0], both), (below[0], both)
        return (above[0], above[1] or 1), (below[0], below[1] or 1)

    def claim(self, source: str) -> Claim:
        """Return the claim as `claims` computes with it."""
        (method, align), (baseline, baseline_align) = self.sides
        return Claim(
            id=self.id, text=self.text, processor=self.processor, quantity=self.quantity, method=method,
            align=align, baseline=baseline, baseline_align=baseline_align,
            ratio_of=tuple(self.ratio_of), claimed=self.claimed, source=source,
            holds_from=self.holds_from or 0.0, holds_to=self.holds_to or math.inf, statistic=self.statistic,
        )  # fmt: skip


class ClaimsFile(reader.Manifest):
    """The file."""

    SCHEMA: ClassVar[int] = 1
    model_config = ConfigDict(title="orbitbench claims")
    kind: Literal["orbitbench.claims"] = "orbitbench.claims"
    name: str
    source: str = Field("", description="who claims this, and where")
    claims: list[StatedClaim] = Field(min_length=1)

    @model_validator(mode="after")
    def unique(self) -> Self:
        """Refuse two claims of one id."""
        ids = [claim.id for claim in self.claims]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise ValueError(f"two claims have the id {', '.join(twice)}")
        return self


def load(path: Path | None = None) -> list[Claim]:
    """Return the claims of a file (default: the thesis's); BadInput lists all its mistakes."""
    try:
        found = reader.load(path or search_path.file("claims/thesis.yaml"), ClaimsFile)
    except reader.ManifestError as error:
        raise BadInput(str(error)) from None
    return [stated.claim(found.source) for stated in found.claims]

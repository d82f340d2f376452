"""What choosing widths costs, against the rule of the released solver."""

import time
from typing import Any

from bench.scaling import fits, scale
from bench.scaling.counts import counter
from bench.zoo import architecture, dataset

RATIOS = (0.25, 0.5, 0.75, 1.0)


def solving() -> list[dict[str, Any]]:
    """Eight published problems: seconds, and how far the widths are off, ours and by descent on tau."""
    nets = [("vgg11", "cifar10", 50.0, 2000), ("mobilenetv2", "cifar100", 1.0, 2000)]
    ours = theirs = 0.0
    errors: dict[str, list[float]] = {"ours": [], "theirs": []}
    for name, task, eta, steps in nets:
        net, shape, fit = architecture(name), dataset(task), fits.find(name, task)
        for ratio in RATIOS:
            start = time.perf_counter()
            scaled = scale(net, shape, "neuralscale", ratio, "width")
            ours += time.perf_counter() - start
            errors["ours"].append(abs(scaled.error))
            start = time.perf_counter()
            widths = descend(
                fit, counter(net, shape, "published"), scaled.target, eta, steps, floor=name == "vgg11"
            )
            theirs += time.perf_counter() - start
            errors["theirs"].append(abs(net.cost(widths, shape).params / scaled.target - 1))
    ratio, worst = theirs / ours, max(errors["ours"])
    row = {"better": "higher", "unit": "x"}
    return [
        {
            **row,
            "name": "scaling: released rule / ours, seconds",
            "value": ratio,
            "peer": f"gradient descent on tau, {theirs / len(errors['ours']) * 1e3:.0f} ms a problem",
            "target": ">= 1",
            "ok": ratio >= 1,
        },
        {
            "name": "scaling: largest error against the target",
            "value": 100 * worst,
            "unit": "%",
            "peer": f"gradient descent on tau, {100 * max(errors['theirs']):.2f}%",
            "target": "<= 0.1",
            "better": "lower",
            "ok": worst <= 0.001,
        },
    ]


def descend(fit: Any, count: Any, target: float, eta: float, steps: int, floor: bool) -> list[int]:
    """The released rule: tau -= eta * (count - target) * sum of dw/dtau, from tau = target; rounded down."""
    tau = target
    for _ in range(steps):
        widths = [a * tau**b for a, b in zip(fit.alpha, fit.beta, strict=True)]
        error = count([int(w) for w in widths] if floor else widths) - target
        if not floor and abs(error) <= 0.0005 * target:
            break
        slope = sum(w * b / tau for w, b in zip(widths, fit.beta, strict=True))
        tau = tau * 0.5 if error * slope * eta > tau else tau - eta * error * slope
    return [int(a * tau**b) for a, b in zip(fit.alpha, fit.beta, strict=True)]


BENCHMARKS = [solving]

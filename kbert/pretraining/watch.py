"""What is told, measured, kept and refused while pre-training goes on, phase by phase."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from kbert import console
from kbert.driver import Place
from kbert.errors import Diverged
from kbert.plans import loader
from kbert.pretraining.flops import training_flops
from kbert.pretraining.objectives import Losses, Score, described
from kbert.pretraining.work import Totals, Work
from kbert.trainer import listed

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from kbert.pretraining.module import Pretraining
    from kbert.pretraining.steps import Step
    from kbert.pretraining.training import Training


@dataclass(frozen=True, slots=True)
class Measure:
    """What a validation came to: the weighted loss, and each objective's figures."""

    step: int
    loss: float
    scores: dict[str, Score]


class Watch:
    """The phases of a pre-training, as `kbert.driver` follows them.

    Tells of the steps, validates, and keeps weights.
    """

    def __init__(self, training: Training) -> None:
        """Bind the training, whose measures and counters are written."""
        self.processes = training.processes
        self.legs = [phase.steps for phase in training.settings.plan]
        self._training = training
        self._work = Work()
        self._carried = Work()  # of all processes, up to a checkpoint
        self._totals = Totals()

    def loader(self, leg: int, *, start: int) -> DataLoader[Step]:
        """Load the steps of a phase."""
        steps = self._training.steps(leg)
        phase = self._training.settings.plan[leg]
        micro = phase.steps * self._training.settings.accumulate * self.processes.share.world
        console.say(
            f"phase {leg + 1}: {phase.steps:,} steps at length {phase.max_length},"
            f" {steps.epoch_batches:,} micro-batches an epoch,"
            f" {micro / steps.epoch_batches:.2f} epochs"
            + (f"; {steps.cut_share:.1%} of the tokens are cut to fit" if steps.cut_share else "")
        )
        return loader(steps, start=start, workers=self._training.settings.workers)

    def begin(self, leg: int, *, start: int) -> None:
        """Begin to count."""
        self._work.begin()
        self._training.begin_curves(step=sum(self.legs[:leg]) + start)

    def looks(self, place: Place) -> bool:
        """Say whether a line or a validation is due."""
        return self.measures(place) or (place.step + 1) % self._training.settings.log_every == 0

    def measures(self, place: Place) -> bool:
        """Say whether a validation is due: now and then, and at the end of a phase."""
        return self._ends(place) or (place.step + 1) % self._training.settings.validate_every == 0

    def _ends(self, place: Place) -> bool:
        return place.within + 1 == self.legs[place.leg]

    def add(self, figures: Sequence[float]) -> None:
        """Take the losses of a step."""
        self._totals.add(figures)

    def after(self, core: Pretraining, batch: Step, place: Place) -> None:
        """Write a line and validate, each in its time."""
        self._work.add(batch)
        if self._ends(place) or (place.step + 1) % self._training.settings.log_every == 0:
            self._tell(core, place)
        if self.measures(place):
            before = time.perf_counter()
            self._validate(core, place)
            self._work.paused += time.perf_counter() - before

    def where(self, place: Place) -> str:
        """Name a step by its number of all."""
        return f"at step {place.step + 1}"

    def what(self, place: Place) -> str:
        """Name the sequences of a step."""
        return "sequences " + listed(self._training.steps(place.leg).named(place.within))

    def state(self, core: Pretraining) -> dict[str, Any]:
        """List figures and counters, over all processes."""
        training = self._training
        self._carry(core)
        return {
            "measures": [asdict(measure) for measure in training.measures],
            "saved_step": training.saved_step,
            "tokens": training.tokens,
            "slots": training.slots,
            "seconds": training.seconds,
            "totals": self._totals.values,
            "carried": self._carried.counts(),
            "carried_seconds": self._carried.before,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take them up."""
        training = self._training
        training.measures[:] = [
            Measure(
                each["step"],
                each["loss"],
                {name: Score(*score) for name, score in each["scores"].items()},
            )
            for each in state["measures"]
        ]
        training.saved_step, training.tokens = state["saved_step"], state["tokens"]
        training.slots = state.get("slots")  # a checkpoint of an older version has none
        training.seconds = state["seconds"]
        self._totals.values = list(state["totals"])
        self._carried = Work.of(state["carried"], before=state["carried_seconds"])

    def _carry(self, core: Pretraining) -> None:
        """Add what this process and the others did since the last line to what is carried."""
        work, self._work = self._work, Work()
        done = torch.tensor(work.counts(), device=core.device)
        counts = core.total(done).tolist()
        before = self._carried.before + work.seconds
        carried = [a + b for a, b in zip(self._carried.counts(), counts, strict=True)]
        self._carried = Work.of(carried, before=before)

    def _tell(self, core: Pretraining, place: Place) -> None:
        """Write a line of the log, over the steps since the last one."""
        training = self._training
        self._carry(core)
        carried, self._carried = self._carried, Work()
        losses, self._totals = self._totals.losses(), Totals()
        seconds = max(1e-9, carried.before)
        training.tokens += carried.tokens
        if training.slots is not None:
            training.slots += carried.slots
        training.seconds += seconds
        row = _row(core, losses, phase=place.leg + 1, kind="train")
        row |= {"rate": _rate(core), "tokens": training.tokens}
        row["tokens_per_second"] = carried.tokens / seconds
        padding = 1 - carried.tokens / carried.slots
        text = f"{carried.tokens / seconds:,.0f} tokens/s, {padding:.1%} padding"
        if training.peak is not None:
            flops = training_flops(
                core.model.network.encoder.config,
                tokens=carried.tokens,
                squares=carried.squares,
                decoded=carried.decoded,
            )
            row["mfu"] = flops / seconds / training.peak
            text += f", MFU {row['mfu']:.1%}"
        self._write(row, f"{_figures(losses, core)}  {text}")

    def _validate(self, core: Pretraining, place: Place) -> None:
        """Measure on held-out texts, and keep the weights."""
        training, step = self._training, place.step + 1
        if training.has_held_out:
            own = core.evaluate(training.validation(place.leg))
            losses = _total(core, own)
            row = _row(core, losses, phase=place.leg + 1, kind="held out")
            if not math.isfinite(float(row["loss"])):
                raise Diverged(
                    f"the training diverged at step {step}: the held-out loss is no number; lower"
                    " --learning-rate"
                )
            training.measures.append(Measure(step, float(row["loss"]), losses.scores()))
            self._write(row, f"{_figures(losses, core)}")
        network = core.whole_network()
        if training.processes.first:
            training.save(network)
        training.saved_step = step

    def _write(self, row: dict[str, Any], text: str) -> None:
        total = self._training.settings.total_steps
        console.say(f"step {row['step']}/{total}  {row['set']}  {text}")
        if self._training.curves is not None:
            self._training.curves.add(row)


def _total(module: Pretraining, own: Losses | None) -> Losses:
    """Add up the losses of all processes, of which some may have none."""
    nothing = torch.zeros(4, device=module.device)
    sums = nothing if own is None else own.sums.float()
    counts = nothing.long() if own is None else own.counts
    correct = nothing.long() if own is None else own.correct
    return Losses(*(module.total(each) for each in (sums, counts, correct)))


def _row(module: Pretraining, losses: Losses, *, phase: int, kind: str) -> dict[str, Any]:
    loss = float(losses.weighted(module.weights, counts=losses.counts))
    row: dict[str, Any] = {"step": module.steps_done, "phase": phase, "set": kind, "loss": loss}
    for name, figures in described(losses.scores()).items():
        row |= {f"{name}_{what}": value for what, value in figures.items()}
    return row


def _figures(losses: Losses, module: Pretraining) -> str:
    parts = [f"loss {float(losses.weighted(module.weights, counts=losses.counts)):.4f}"]
    for name, score in losses.scores().items():
        more = f", perplexity {score.perplexity:.4g}" if name == "causal" else ""
        parts.append(f"{name} {score.loss:.4f} ({score.accuracy:.1%}{more})")
    return "  ".join(parts)


def _rate(module: Pretraining) -> float:
    optimiser: Any = module.optimizers()
    return float(optimiser.param_groups[0]["lr"])

"""The loop of fine-tuning: an evaluation each epoch, the best weights kept.

Batch plans are functions of (seed, epoch), sliced by rank, so what a step trains on is known
beforehand and the same in every repetition. How steps are taken stands in `kbert.driver`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from kbert import plans
from kbert.driver import Place, follow
from kbert.dropout import thinned
from kbert.epochs import Epoch, EpochCourse, Epochs
from kbert.keeper import Keeper
from kbert.module import FineTuning
from kbert.plans import Plan, Share, Steps
from kbert.processes import Processes

if TYPE_CHECKING:
    import torch
    from torch.utils.data import DataLoader

    from kbert.settings import TrainSettings
    from kbert.tasks import Encoded, LabelledBatch, Task

_NAMED: Final = 8  # examples that are named of a step that went wrong


class Loop:
    """Fit, evaluate, keep the best; one object a run."""

    def __init__(
        self,
        settings: TrainSettings,
        *,
        task: Task,
        pad_id: int,
        keeper: Keeper,
        save: Callable[[], None],
        places: Sequence[str] = (),
    ) -> None:
        """Bind settings; `save` writes the network's weights as they are when it is called.

        `places` name the training examples, for people.
        """
        self.settings = settings
        self.task = task
        self.pad_id = pad_id
        self.save = save
        self.places = places
        self.kept = Epochs(main=task.main, total=settings.epochs, chooses=False, save=self._save)
        self.processes = Processes(
            settings,
            legs=settings.epochs,
            strategy="ddp" if settings.devices > 1 else "auto",
            folder=keeper.folder,
        )
        self._keeper = keeper

    @property
    def epochs(self) -> list[Epoch]:
        """What the epochs came to, so far."""
        return self.kept.closed

    @property
    def best(self) -> int:
        """The epoch whose weights were saved, from 0."""
        return self.kept.best

    def fit(
        self,
        network: torch.nn.Module,
        train: Sequence[Encoded],
        dev: Sequence[Encoded],
        *,
        learning_rate: float,
        total_steps: int,
    ) -> FineTuning:
        """Train on `train`; after each epoch evaluate on `dev` and save if it is the best so far.

        Without `dev` each epoch is saved. The module is left with the weights of the last epoch.
        `total_steps` is what `steps` counts. Raises `Diverged`, `Stopped`.
        """
        module = FineTuning(
            network,
            self.task,
            learning_rate=learning_rate,
            weight_decay=self.settings.weight_decay,
            clip=self.settings.clip,
            warmup_steps=round(total_steps * self.settings.warmup),
            total_steps=total_steps,
            seed=self.settings.seed,
            schedule=self.settings.schedule,
            layer_decay=self.settings.layer_decay,
            unfreeze_epochs=self.settings.unfreeze_epochs,
        )
        self.kept = Epochs(
            main=self.task.main, total=self.settings.epochs, chooses=bool(dev), save=self._save
        )
        follow(Course(self, train, dev, module=module), module, self._keeper)
        return module

    def evaluate(self, module: FineTuning, encoded: Sequence[Encoded]) -> dict[str, float]:
        """Score the module on examples, over all processes."""
        module.evaluate_on(encoded)
        with self.processes.training() as trainer:
            trainer.test(module, dataloaders=self.evaluation(encoded), verbose=False)
        return module.scores

    def _save(self) -> None:
        if self.processes.first:
            self.save()

    def steps(self, encoded: Sequence[Encoded]) -> int:
        """Count the optimiser steps of the whole training."""
        return sum(self.legs(plans.lengths(encoded)))

    def legs(self, sizes: Sequence[int]) -> list[int]:
        """Count the steps of each epoch over examples of these lengths."""
        return [len(self.plan(sizes, epoch)) for epoch in range(self.settings.epochs)]

    def padding_share(self, encoded: Sequence[Encoded]) -> float:
        """Say which share of the first epoch's token slots is padding (of this process), 0 to 1."""
        plan = self.plan(plans.lengths(encoded), epoch=0)
        return plans.padding_share(plans.lengths(self.thinned(encoded, epoch=0)), plan)

    def evaluation_padding_share(self, encoded: Sequence[Encoded]) -> float:
        """Say which share of an evaluation's token slots is padding (of this process), 0 to 1."""
        sizes = plans.lengths(encoded)
        return plans.padding_share(sizes, self._evaluation_plan(sizes))

    def plan(self, sizes: Sequence[int], epoch: int, *, share: Share | None = None) -> Plan:
        """Plan the batches of an epoch (from 0) over examples of these lengths.

        They are those of this process, or of the one that `share` names.
        """
        return plans.training_plan(
            sizes,
            max_tokens=self.settings.batch_tokens,
            seed=self.settings.seed,
            epoch=epoch,
            share=self.processes.share if share is None else share,
        )

    def thinned(self, encoded: Sequence[Encoded], epoch: int) -> Sequence[Encoded]:
        """Return the training examples as an epoch (from 0) reads them: see `kbert.dropout`."""
        rate, seed = self.settings.fact_dropout, self.settings.seed
        return thinned(encoded, rate=rate, seed=seed, epoch=epoch)

    def _evaluation_plan(self, sizes: Sequence[int]) -> Plan:
        return plans.evaluation_plan(
            sizes, max_tokens=self.settings.batch_tokens, share=self.processes.share
        )

    def training(
        self, encoded: Sequence[Encoded], plan: Plan, *, start: int = 0
    ) -> DataLoader[LabelledBatch]:
        """Load the batches of a plan in its order, from `start` on."""
        steps = Steps(encoded, plan, task=self.task, pad_id=self.pad_id)
        return plans.loader(steps, start=start, workers=self.settings.workers)

    def evaluation(self, encoded: Sequence[Encoded]) -> DataLoader[LabelledBatch]:
        """Load this process's share of the examples, in batches sorted by length."""
        return self.training(encoded, self._evaluation_plan(plans.lengths(encoded)))


class Course(EpochCourse):
    """The epochs of a fine-tuning, as `kbert.driver` follows them."""

    def __init__(
        self, loop: Loop, train: Sequence[Encoded], dev: Sequence[Encoded], *, module: FineTuning
    ) -> None:
        """Bind the examples that are trained on, and those that decide."""
        self._sizes = plans.lengths(train)
        super().__init__(loop.kept, legs=loop.legs(self._sizes), processes=loop.processes)
        self._loop = loop
        self._train = train
        self._dev = dev
        self._module = module

    def loader(self, leg: int, *, start: int) -> DataLoader[LabelledBatch]:
        """Load the batches of an epoch, planned when it begins."""
        plan = self._loop.plan(self._sizes, leg)
        return self._loop.training(self._loop.thinned(self._train, leg), plan, start=start)

    def after(self, core: Any, batch: Any, place: Place) -> None:
        """Close an epoch at its end."""
        if not self.measures(place):
            return
        if self._dev:
            self._module.evaluate(self._dev, self._loop.evaluation(self._dev))
        self.kept.close(dict(self._module.scores) if self._dev else {})

    def what(self, place: Place) -> str:
        """Name the examples of a step, those of all processes."""
        world = self.processes.share.world
        found = [
            example
            for rank in range(world)
            for example in self._loop.plan(self._sizes, place.leg, share=Share(rank, world))[
                place.within
            ]
        ]
        names = self._loop.places
        return listed([names[i] if names else f"example {i + 1}" for i in sorted(found)])


def listed(names: Sequence[str]) -> str:
    """Name the first few things, and count the others."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

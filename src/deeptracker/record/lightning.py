"""How is a training of Lightning recorded by one line?

    Trainer(callbacks=[deeptracker.LightningCallback("runs/resnet50")])

1. When training starts a `Recorder` is made of module, optimizer and validation loader, which are all there then. It
   sees steps as they happen: accumulated, clipped, unscaled; those that a scaler skips are none.
2. Checkpoints hold the iteration, and all up to it is on disk before they are. A fit from one of them, or a further fit
   of the same trainer, goes on in the same run.
3. Where a rule of `stop_on` holds the trainer is told to stop, after this batch.
4. One process records, the first. A `fast_dev_run` is not recorded.
"""

from __future__ import annotations

import os
from typing import Any, Unpack

from deeptracker.record.options import PER_EPOCH, RecorderOptions, check_options, completed, steps_in
from deeptracker.record.recorder import Recorder

try:
    from lightning.pytorch import Callback
except ImportError:  # the package under its older name, which has the same classes
    from pytorch_lightning import Callback


class LightningCallback(Callback):
    """Records a fit into a run.

    `run` is a folder or an object-store URL. `every` says when a dump is due, as in `Recorder`; seven times an epoch
    unless given. `validation` is what `Recorder` takes; if not given, the first validation loader of the trainer is
    taken, and with False none. `network` is the name of the submodule to be recorded, where it is not the whole module;
    it must have a `forward`. `optimizer` is the index of the one whose steps are counted, where there are several. All
    other options are those of `Recorder`.

    Raises TypeError or ValueError for wrong options; what `Recorder` refuses it refuses when training starts.
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        every: Any = PER_EPOCH,
        validation: Any = None,
        network: str = "",
        optimizer: int = 0,
        **options: Unpack[RecorderOptions],
    ) -> None:
        check_options(every, options)
        self._run, self._every, self._validation, self._options = run, every, validation, options
        self._network, self._optimizer = network, optimizer
        self._loaded: int | None = None
        self._ended: int | None = None
        self._logged = -1
        self.recorder: Recorder | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin, or go on."""
        if trainer.fast_dev_run or not trainer.is_global_zero:
            return
        steps = steps_in(trainer.num_training_batches, trainer.accumulate_grad_batches)
        resume = self._loaded
        if resume is None and trainer.global_step:
            resume = trainer.global_step if self._ended is None else self._ended
        self._loaded = None
        given = self._validation if self._validation is not None else _validation_of(trainer)
        self.recorder = Recorder(
            self._run,
            pl_module.get_submodule(self._network),
            trainer.optimizers[self._optimizer],
            validation=None if given is False else given,
            every=self._every,
            resume=resume,
            **completed(self._options, steps),
        )
        self.recorder.alerts.options.raises = False
        self._logged = self.recorder.iteration

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """The loss of the last batch of a step."""
        if self.recorder is not None and self.recorder.iteration > self._logged:
            self._logged = self.recorder.iteration
            loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
            self.recorder.log(epoch=trainer.current_epoch, **({} if loss is None else {"loss": loss}))
        if self.recorder is not None and self.recorder.stopped is not None:
            trainer.should_stop = True

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """The run is finished."""
        self._end(None)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """The run has failed."""
        self._end(exception)

    def state_dict(self) -> dict[str, Any]:
        """The iteration, for a checkpoint; what was recorded up to it is on disk then."""
        if self.recorder is not None:
            self.recorder.flush()
            return {"iteration": self.recorder.iteration}
        return {} if self._ended is None else {"iteration": self._ended}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The iteration that training goes on from."""
        self._loaded = state_dict["iteration"]

    def _end(self, error: BaseException | None) -> None:
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            self._ended = recorder.iteration
            recorder.__exit__(None if error is None else type(error), error, None)


def _validation_of(trainer: Any) -> Any:
    """The trainer's first validation loader; False without one."""
    if trainer.val_dataloaders is None and trainer.enable_validation:
        # Lightning makes them when they are first needed, which may be epochs later.
        trainer.validating = True
        trainer.fit_loop.epoch_loop.val_loop.setup_data()
        trainer.training = True
    found = trainer.val_dataloaders
    while isinstance(found, (list, tuple, dict)):
        found = next(iter(found.values() if isinstance(found, dict) else found), None)
    return False if found is None else found

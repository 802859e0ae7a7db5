"""What fine-tuning computes with: **Hardware settings, the devices that are there** -> **Accelerator**.

Devices and precision change how fast a fit is, not what is fitted, so they stand beside `FitOptions` and not
in them. What a machine cannot do is off, and said: one device shares no work, a CPU has no half precision
that pays.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from training.errors import InvalidOptions
from training.fit.options import Hardware, Precision

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Accelerator:
    """The devices of a training, as TensorFlow and Keras take them.

    Attributes:
        strategy: of tf.distribute: over which devices a step is spread.
        precision: what the trained blocks compute in; the head and all weights stay float32.
    """

    strategy: tf.distribute.Strategy
    precision: Precision = "float32"

    @classmethod
    def start(cls, hardware: Hardware, *, say: Callable[[str], None] = logger.info) -> Accelerator:
        """Take hold of the devices; with several hosts it waits until all of them have come.

        TensorFlow wants this before anything else is computed.

        Args:
            hardware: what is asked for.
            say: is told what cannot be had here and is therefore off.

        Raises:
            InvalidOptions: several hosts are asked for, and TF_CONFIG names none or not all of them come.
        """
        gpus = tf.config.list_physical_devices("GPU")
        precision = hardware.precision
        if precision != "float32" and not gpus:
            say(f"{precision} is off: there is no GPU")
            precision = "float32"
        return cls(_strategy(hardware, gpus=bool(gpus), say=say), precision)

    @property
    def replicas(self) -> int:
        """Over how many devices a step is spread."""
        return int(self.strategy.num_replicas_in_sync)

    def batch(self, wanted: int, clips: int) -> int:
        """Clips in a step: as many as wanted, or all of fewer, in equal shares for the devices.

        Raises:
            InvalidOptions: they cannot be shared equally, or a device would get none.
        """
        if wanted % self.replicas:
            raise InvalidOptions("tune.batch", expected=f"a multiple of {self.replicas}", found=str(wanted))
        size = min(wanted, clips) // self.replicas * self.replicas
        if not size:
            raise InvalidOptions("devices", expected=f"at most {clips}, the clips", found=str(self.replicas))
        return size

    def copy(self, model: keras.Model) -> keras.Model:
        """The same network with its weights, on these devices and in this precision."""

        def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
            config = layer.get_config()
            if self.precision != "float32":
                config["dtype"] = self.precision
            return layer.__class__.from_config(config)

        made = keras.models.clone_model(model, clone_function=clone)
        made.set_weights(model.get_weights())
        return made

    def scaled(self, optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
        """The optimizer; in float16 its loss is scaled, for small slopes would be lost."""
        if self.precision == "mixed_float16":
            return keras.optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Variables made inside it lie on all devices."""
        scope: contextlib.AbstractContextManager[Any] = self.strategy.scope()
        return scope


def _strategy(hardware: Hardware, *, gpus: bool, say: Callable[[str], None]) -> tf.distribute.Strategy:
    if hardware.devices == "hosts":
        if not tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec().as_dict():
            raise InvalidOptions(
                "devices", expected="one or all where TF_CONFIG names no hosts", found=hardware.devices
            )
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except tf.errors.OpError as error:  # a port that is taken, a host that does not come
            raise InvalidOptions(
                "TF_CONFIG", expected="of hosts that answer, this one's port free", found=error.message
            ) from error
    devices = tf.config.list_logical_devices("GPU" if gpus else "CPU")
    if hardware.devices == "all" and len(devices) > 1:
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if hardware.devices == "all":
        say(f"nothing to spread over: {devices[0].name} is the only device")
    return tf.distribute.get_strategy()

"""The Keras layer that carries a learnt activation range from quantization-aware training into the converter.

Imported only where Keras runs. A .keras file that holds such layers loads wherever this module was imported.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

MOMENTUM = 0.99
_LEAST_WIDTH = 1e-4


@keras.saving.register_keras_serializable(package="leadwire")
class FakeQuant(keras.layers.Layer):  # type: ignore[misc]
    """Rounds to 256 steps between `low` and `high`, which hold zero; the gradient passes where a value lies between
    them (straight-through, Bengio 2013). While training, and until `frozen` is 1, the range follows those of the
    batches as a moving average (Jacob et al., CVPR 2018, section 3.1).
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.low = self.add_weight(name="low", shape=(), initializer="zeros", trainable=False)
        self.high = self.add_weight(name="high", shape=(), initializer="zeros", trainable=False)
        self.frozen = self.add_weight(name="frozen", shape=(), initializer="zeros", trainable=False)

    def call(self, x: Any, training: bool = False) -> Any:
        low, high = tf.convert_to_tensor(self.low), tf.convert_to_tensor(self.high)
        if training:
            least = tf.minimum(tf.reduce_min(tf.stop_gradient(x)), 0.0)
            most = tf.maximum(tf.reduce_max(tf.stop_gradient(x)), 0.0)
            kept = tf.where(low == high, 0.0, tf.where(self.frozen > 0, 1.0, MOMENTUM))  # the first batch sets it
            low, high = kept * low + (1 - kept) * least, kept * high + (1 - kept) * most
            self.low.assign(low)
            self.high.assign(high)
        return tf.quantization.fake_quant_with_min_max_vars(x, low, tf.maximum(high, low + _LEAST_WIDTH), num_bits=8)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        """With the name, which Keras leaves out of the config that it makes up for a layer without this method."""
        return {**super().get_config(), "name": self.name}

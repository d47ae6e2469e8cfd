"""fanin in JAX: pure functions started, trained and compared in compiled programs."""

from fanin.jax.model import Model as Model

"""fanin in JAX: draws and trainings as compiled programs."""

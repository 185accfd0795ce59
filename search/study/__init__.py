"""What happens next? The coordinator of a study: no JAX in its process."""

"""What is trained: the model and the fixed global batches, the same in every process, split and release."""

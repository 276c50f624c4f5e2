"""A small real project and a scripted run over it, so that everything can be seen without a model."""

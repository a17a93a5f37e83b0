"""compress: make a trained network fit, step by step, by a recipe.

A recipe (TOML, `recipe`) is a list of steps; each is a module of `leadwire.compress.steps`, takes a Keras model and
gives one back. `run_recipe` runs them one after the other, each in a process of its own, and keeps each step's model: a
run that was cut goes on where it stopped. In a Python process that has Keras loaded already, `apply_step` runs one step
on a model in memory.

Steps see the training split alone, less the patients held out of it to choose by (`tune`). Test patients are never
loaded here: who judges is `leadwire.pipeline.compress`.
"""

from __future__ import annotations

from .recipe import Augment, Recipe, StepSettings, Training, load_recipe
from .runner import FinishedStep, run_recipe
from .steps import apply_step, kinds
from .work import StepOutcome, Work, split_patients

__all__ = [
    "Augment",
    "FinishedStep",
    "Recipe",
    "StepOutcome",
    "StepSettings",
    "Training",
    "Work",
    "apply_step",
    "kinds",
    "load_recipe",
    "run_recipe",
    "split_patients",
]

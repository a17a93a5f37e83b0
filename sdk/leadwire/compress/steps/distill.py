"""distill: a small network learns from the answers of one teacher or several, and from what lies within the first.

Soft labels: alpha T^2 KL(teacher || student) + (1 - alpha) cross entropy, both softened by the temperature T (Hinton,
Vinyals and Dean 2015, section 2); several teachers answer by the mean of their softened probabilities. Features: the
mean squared difference of named layers' normalized results, the student's brought to the teacher's channels by a
projection that is learnt and thrown away (FitNets, Romero et al. 2015), and to its length by interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from leadwire.compress.recipe import UNDOES_LEVELS, Fraction, NotNegative, StepSettings, family_mistakes
from leadwire.compress.work import Keras, StepOutcome, Work
from leadwire.errors import BadInputError

if TYPE_CHECKING:
    from leadwire.compress.training import Loss

LayerName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^*?\[]*$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePair:
    """Two layers by name, not by pattern."""

    student: LayerName
    teacher: LayerName


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StepSettings):
    """Either the network of the recipe so far is the teacher and a student is named: a Keras file (`student`) or a
    network of the zoo with random weights (`family` and its `settings`); or it is the student, and `teachers` are
    named. `teachers` (Keras files) stand beside the network so far in the first case. A student of more parameters
    than its first teacher is refused unless `larger` is true.
    """

    teachers: Annotated[tuple[str, ...], Field(max_length=16)] = ()
    student: str = ""
    family: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    temperature: Annotated[float, Field(ge=0.1, le=100)] = 4.0
    alpha: Fraction = 0.7
    features: Annotated[tuple[FeaturePair, ...], Field(max_length=16)] = ()
    feature_weight: NotNegative = 1.0
    larger: bool = False

    @property
    def mistakes(self) -> tuple[str, ...]:
        found = family_mistakes(self.family, self.settings)
        if self.student and self.family:
            found = (*found, "student: a student file and a family are given; give one of the two, or neither")
        if not (self.student or self.family or self.teachers):
            found = (*found, "student: neither a teacher nor a student is given; name a family, a file, or teachers")
        return found

    @property
    def cannot_follow(self) -> Mapping[str, str]:
        return UNDOES_LEVELS if self.leaves == "" else {}

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.teachers, *((self.student,) if self.student else ()))

    @property
    def named_layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        students, teachers = (tuple(getattr(pair, role) for pair in self.features) for role in ("student", "teacher"))
        if self.leaves == "":
            return ("", students), (self.teachers[0], teachers)
        return (*(((self.student, students),) if self.student else ()), ("", teachers))

    @property
    def leaves(self) -> str | None:
        return self.student or (None if self.family else "")


def apply(settings: Settings, work: Work) -> StepOutcome:
    from leadwire.compress.training import check_classifier, fit, tune_score

    teachers, student = _parts(settings, work)
    for model in (*teachers, student):
        _check_answers(settings, model, work)
        check_classifier(model, work.train)
    sizes = student.count_params(), teachers[0].count_params()
    if sizes[0] > sizes[1] and not settings.larger:
        raise BadInputError(
            f"step '{settings.label}': the student has {sizes[0]:,} parameters, its teacher {sizes[1]:,}",
            hint="take a smaller student, or set larger = true where that is meant",
        )
    loss, projections = _loss(settings, teachers, student)
    history = fit(work, student, settings, name="distillation", loss=loss, extra=projections)
    return StepOutcome(
        model=student,
        facts=(
            ("teachers", len(teachers)),
            ("parameters of the teacher", sizes[1]),
            ("parameters of the student", sizes[0]),
            ("macro F1 on held-out patients, teacher", round(tune_score(teachers[0], work), 4)),
            ("macro F1 on held-out patients, student", round(history.tune_f1[history.kept_epoch], 4)),
        ),
    )


def _parts(settings: Settings, work: Work) -> tuple[list[Keras], Keras]:
    """(teachers, student)."""
    from leadwire.tensorflow_process.keras_files import load_keras

    teachers = [load_keras(work.base / path) for path in settings.teachers]
    if settings.student:
        return [work.model, *teachers], load_keras(work.base / settings.student)
    if settings.family:
        from leadwire import zoo

        shapes = {name: one.shape[1:] for name, one in zip(work.train.input_names, work.train.inputs, strict=True)}
        classes = len(work.train.label_names)
        return [work.model, *teachers], zoo.build_for(settings.family, settings.settings, shapes, classes)
    return teachers, work.model


def _check_answers(settings: Settings, model: Keras, work: Work) -> None:
    """A teacher or student must answer in the classes of the data."""
    shapes = [tuple(one.shape[1:]) for one in model.outputs]
    if shapes != [(len(work.train.label_names),)]:
        raise BadInputError(
            f"step '{settings.label}': network '{model.name}' puts out {shapes}, the data has "
            f"{len(work.train.label_names)} classes ({' '.join(work.train.label_names)})",
            hint="teacher and student must know the same classes, in the same order",
        )


def _loss(settings: Settings, teachers: list[Keras], student: Keras) -> tuple[Loss, list[Any]]:
    """The loss, and the variables of the projections that are trained with the student."""
    import keras
    import tensorflow as tf

    from leadwire.compress.training import weighted_mean

    temperature, alpha = settings.temperature, settings.alpha
    inner = [_layer(settings, student, pair.student) for pair in settings.features]
    outer = [_layer(settings, teachers[0], pair.teacher) for pair in settings.features]
    student_all = keras.Model(student.inputs, [student.outputs[0], *(layer.output for layer in inner)])
    teacher_all = keras.Model(teachers[0].inputs, [teachers[0].outputs[0], *(layer.output for layer in outer)])
    projections = []
    for own, wanted in zip(inner, outer, strict=True):
        if len(own.output.shape) not in (2, 3) or len(own.output.shape) != len(wanted.output.shape):
            raise BadInputError(
                f"step '{settings.label}': layer '{own.name}' gives {tuple(own.output.shape[1:])}, layer "
                f"'{wanted.name}' of the teacher {tuple(wanted.output.shape[1:])}",
                hint="pair layers that both give [samples, channels], or both [values]",
            )
        projections.append(keras.layers.Dense(wanted.output.shape[-1], name=f"{own.name}_projection"))
        projections[-1].build(own.output.shape)

    def softened(probabilities: Any) -> Any:
        return tf.nn.softmax(tf.math.log(tf.maximum(probabilities, 1e-7)) / temperature)

    def loss(model: Keras, inputs: Any, labels: Any, weights: Any) -> Any:
        answers = student_all(inputs, training=True)
        wanted = teacher_all(_for_teacher(teachers[0], student, inputs), training=False)
        answers, wanted = (one if isinstance(one, (list, tuple)) else [one] for one in (answers, wanted))
        others = [one(_for_teacher(one, student, inputs), training=False) for one in teachers[1:]]
        soft = tf.add_n([softened(one) for one in (wanted[0], *others)]) / (1 + len(others))
        soft = tf.stop_gradient(soft)
        own = tf.math.log(tf.maximum(softened(answers[0]), 1e-7))
        divergence = tf.reduce_sum(soft * (tf.math.log(tf.maximum(soft, 1e-7)) - own), axis=-1)
        hard = keras.losses.sparse_categorical_crossentropy(labels, answers[0])
        total = weighted_mean(alpha * temperature**2 * divergence + (1 - alpha) * hard, weights)
        for projection, mine, theirs in zip(projections, answers[1:], wanted[1:], strict=True):
            gap = _normal(_as_long(projection(mine), theirs)) - _normal(tf.stop_gradient(theirs))
            axes = list(range(1, len(gap.shape)))
            total += settings.feature_weight * weighted_mean(tf.reduce_mean(gap**2, axis=axes), weights)
        return total

    return loss, [variable for one in projections for variable in one.trainable_variables]


def _for_teacher(teacher: Keras, student: Keras, inputs: Any) -> Any:
    """The student's inputs in the order of a further teacher's."""
    given = dict(
        zip((one.name for one in student.inputs), inputs if isinstance(inputs, list) else [inputs], strict=True)
    )
    found = [given.get(one.name, inputs) for one in teacher.inputs]
    return found[0] if len(found) == 1 else found


def _layer(settings: Settings, model: Keras, name: str) -> Any:
    names = [layer.name for layer in model.layers]
    if name not in names:
        raise BadInputError(
            f"step '{settings.label}': network '{model.name}' has no layer '{name}'",
            hint=f"its layers: {', '.join(names[:40])}",
        )
    return model.get_layer(name)


def _as_long(values: Any, like: Any) -> Any:
    """[n, samples, channels] at the length of another, linearly between its samples."""
    import tensorflow as tf

    if len(values.shape) == 2 or values.shape[1] == like.shape[1]:
        return values
    return tf.squeeze(tf.image.resize(tf.expand_dims(values, 1), (1, like.shape[1])), 1)


def _normal(values: Any) -> Any:
    """Mean 0 and variance 1 over each beat: the size of activations carries nothing that can be taught."""
    import tensorflow as tf

    axes = list(range(1, len(values.shape)))
    mean, variance = tf.nn.moments(values, axes, keepdims=True)
    return (values - mean) * tf.math.rsqrt(variance + 1e-6)

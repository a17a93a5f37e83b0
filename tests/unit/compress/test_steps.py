"""Steps that train, on a network of a few weights: what they leave is what they say. About a minute."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)
TRAIN = """
import json, os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")
from pathlib import Path
import keras
import numpy as np
from leadwire.compress import Training, Work, apply_step, split_patients
from leadwire.compress import quantized_training as aware
from leadwire.tensorflow_process.keras_files import load_keras, save_keras
from leadwire.compress.recipe import StepSettings
from leadwire.compress.steps import (
    distill, few_levels, fine_tune, prune_activations, prune_channels, quantization_aware,
)
from leadwire import zoo
from leadwire.datasets import Dataset
from leadwire.errors import LeadwireError

layers = keras.layers


def data(classes=3, count=240):
    generator = np.random.default_rng(3)
    labels = np.arange(count, dtype=np.int64) % classes
    beat = generator.normal(0, 0.3, (count, 16, 2)) + np.sin(np.arange(16) * (1 + labels[:, None]) / 3)[..., None]
    names = tuple(f"p{i // 3 % 8}" for i in range(count))
    return Dataset(
        name="waves", split="train", input_names=("beat", "features"),
        inputs=(beat.astype(np.float32), generator.uniform(-1, 1, (count, 3)).astype(np.float32)),
        labels=labels, label_names=("N", "S", "V")[:classes], patients=names, records=names,
        times_s=np.arange(count, dtype=np.float64), basis="synthetic", licence="ours",
    )


def network(width=8, classes=3, name="net", end="softmax"):
    beat, features = keras.Input((16, 2), name="beat"), keras.Input((3,), name="features")
    x = layers.Conv1D(width, 3, padding="same", use_bias=False, name="first")(beat)
    x = layers.ReLU(name="first_relu")(layers.BatchNormalization(name="first_norm")(x))
    y = layers.DepthwiseConv1D(3, padding="same", use_bias=False, depth_multiplier=1, name="depth")(x)
    y = layers.BatchNormalization(name="depth_norm")(y)
    x = layers.ReLU(name="join_relu")(layers.Add(name="add")([x, y]))
    x = layers.GlobalAveragePooling1D(name="pool")(layers.Dropout(0.1, seed=1, name="drop")(x))
    x = layers.Concatenate(name="join")([x, layers.Dense(4, activation="relu", name="rhythm")(features)])
    return keras.Model([beat, features], layers.Dense(classes, activation=end, name="scores")(x), name=name)


def work(model, folder, **changes):
    train, tune = split_patients(data())
    Path(folder).mkdir(exist_ok=True)
    training = changes.pop("training", Training(epochs=3, batch=32, learning_rate=0.01, majority_per_epoch=0))
    return Work(**{
        "model": model, "train": train, "tune": tune, "training": training, "classes": (0, 1, 2), "seed": 5,
        "folder": Path(folder), "base": Path("."), **changes,
    })


def refused(call):
    try:
        call()
    except LeadwireError as error:
        return [type(error).__name__, error.message]
    return None
"""


def run(code: str, folder: Path) -> dict[str, object]:
    """What the code leaves in `found`, from a process that has Keras."""
    text = TRAIN + "\nfound = {}\n" + textwrap.dedent(code) + "\nprint('\\n' + json.dumps(found))\n"
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """All of one process, which costs seconds to start."""
    folder = tmp_path_factory.mktemp("steps")
    return run(
        """
        keras.utils.set_random_seed(1)
        whole = network()
        start = whole.get_weights()
        outcome = apply_step(fine_tune.Settings(), work(whole, "whole"))
        found["facts"] = dict(outcome.facts)
        found["learnt"] = float(max(abs(a - b).max() for a, b in zip(start, whole.get_weights())))

        # a training that is cut after its first epoch and gone on with gives the same weights
        def cut():
            def stop(label, done, total):
                if done > total // 3:
                    raise KeyboardInterrupt
            model = network()
            model.set_weights(start)
            try:
                apply_step(fine_tune.Settings(), work(model, "cut", progress=stop))
            except KeyboardInterrupt:
                pass
            again = network()
            apply_step(fine_tune.Settings(), work(again, "cut"))
            return again
        found["resumed"] = float(max(abs(a - b).max() for a, b in zip(cut().get_weights(), whole.get_weights())))

        best = network()
        best.set_weights(start)
        wild = Training(epochs=3, batch=32, learning_rate=0.9, majority_per_epoch=0, keep="best")
        found["best"] = dict(apply_step(fine_tune.Settings(), work(best, "best", training=wild)).facts)

        for end in ("linear", "sigmoid"):
            other = network(end=end)
            for step in (fine_tune, quantization_aware):
                found[f"{step.__name__.rpartition('.')[2]} of {end}"] = refused(
                    lambda: apply_step(step.Settings(), work(other, "other"))
                )

        x = [data().inputs[0], data().inputs[1]]
        prepared = aware.prepared(whole)
        for layer in aware.ranges_of(prepared):
            layer.low.assign(-100.0)
            layer.high.assign(100.0)
        found["ranged"] = sorted(layer.name for layer in aware.ranges_of(prepared))
        plain = [type(layer).__name__ for layer in prepared.layers]
        found["norms"] = plain.count("BatchNormalization")
        # without its ranges the prepared network is the same function
        def without(layer, *given, **named):
            return given[0] if isinstance(layer, aware.FakeQuant) else layer(*given, **named)
        bare = keras.models.clone_model(prepared, call_function=without)
        for layer in bare.layers:
            layer.set_weights(prepared.get_layer(layer.name).get_weights())
        found["folded"] = float(abs(bare.predict(x, verbose=0) - whole.predict(x, verbose=0)).max())

        aware_outcome = apply_step(quantization_aware.Settings(epochs=2), work(whole, "aware"))
        save_keras(aware_outcome.model, Path("aware.keras"))
        found["saved"] = float(abs(
            load_keras(Path("aware.keras")).predict(x, verbose=0) - aware_outcome.model.predict(x, verbose=0)
        ).max())
        found["frozen"] = [float(layer.frozen.numpy()) for layer in aware.ranges_of(aware_outcome.model)]
        kernel = aware_outcome.model.get_layer("first").kernel.numpy()
        steps = kernel / (abs(kernel).max(axis=(0, 1), keepdims=True) / 127)
        found["on_grid"] = float(abs(steps - steps.round()).max())
        for kind in (few_levels, prune_activations, prune_channels):
            given = {"keep_macs": 0.5} if kind is prune_channels else {}
            late = work(load_keras(Path("aware.keras")), "late")
            found[f"{kind.__name__} too late"] = refused(lambda: apply_step(kind.Settings(**given), late))
        found["twice"] = refused(lambda: apply_step(quantization_aware.Settings(), work(aware_outcome.model, "twice")))
        odd = keras.Sequential([keras.Input((16, 2), name="beat"), layers.GRU(3, name="loop"), layers.Dense(3)])
        found["odd"] = refused(lambda: aware.prepared(odd))

        # distillation
        save_keras(network(name="other"), Path("other.keras"))
        small = network(4, name="small")
        save_keras(small, Path("small.keras"))
        pair = distill.FeaturePair(student="first_relu", teacher="join_relu")
        taught = apply_step(
            distill.Settings(student="small.keras", teachers=("other.keras",), features=(pair,)), work(whole, "taught")
        )
        found["taught"] = dict(taught.facts)
        found["student"] = [layer.name for layer in taught.model.layers] == [layer.name for layer in small.layers]
        save_keras(network(4, classes=2), Path("two.keras"))
        save_keras(network(4, name="logits", end=None), Path("logits.keras"))
        for name, settings in {
            "other classes": distill.Settings(teachers=("two.keras",)),
            "logits of a teacher": distill.Settings(teachers=("logits.keras",)),
            "larger": distill.Settings(student="wide.keras"),
            "no layer": distill.Settings(
                student="small.keras", features=(distill.FeaturePair(student="nowhere", teacher="add"),)
            ),
            "nobody": distill.Settings(),
            "both": distill.Settings(student="small.keras", family="cnn"),
            "no file": distill.Settings(student="none.keras"),
            "no model": distill.Settings(student="broken.keras"),
        }.items():
            save_keras(network(64), Path("wide.keras"))
            Path("broken.keras").write_bytes(b"PK nothing")
            found[name] = refused(lambda: apply_step(settings, work(whole, "refused")))

        # the seed of the work decides where a student begins, and its projections
        def student(seed):
            keras.utils.set_random_seed(next(folders) + 100)
            settings = distill.Settings(family="cnn", settings={"positions": 2}, epochs=1, larger=True, features=(
                distill.FeaturePair(student=zoo_layer, teacher="join_relu"),))
            return apply_step(settings, work(whole, f"seed{next(folders)}", seed=seed)).model.get_weights()
        folders = iter(range(9))
        cnn = zoo.build_for("cnn", {"positions": 2}, {"beat": (16, 2), "features": (3,)}, 3)
        zoo_layer = next(layer.name for layer in cnn.layers if isinstance(layer, layers.Conv1D))
        one, same, other = student(5), student(5), student(6)
        found["same seed"] = all(np.array_equal(a, b) for a, b in zip(one, same))
        found["other seed"] = all(np.array_equal(a, b) for a, b in zip(one, other))
        zebra = Training(class_factors={"N": 1.0, "Zebra": 5.0})
        found["zebra"] = refused(lambda: apply_step(fine_tune.Settings(), work(whole, "zebra", training=zebra)))

        for levels in ("cluster", "four_bit", "ternary", "binary"):
            model = network()
            model.set_weights(whole.get_weights())
            settings = few_levels.Settings(levels=levels, count=5, except_layers=("scores",), epochs=1)
            facts = dict(apply_step(settings, work(model, levels)).facts)
            found[levels] = {name: value for name, value in facts.items() if name.startswith("levels of")}
            for layer in (model.get_layer("first"), model.get_layer("depth")):
                kernel, over = layer.kernel.numpy(), 0 if layer.name == "depth" else (0, 1)
                found[levels][layer.name] = len(np.unique(np.round(kernel / abs(kernel).max(axis=over) * 127)))
        pruned = network()
        kernel = pruned.get_layer("first").kernel
        kernel.assign(kernel * (abs(kernel) > 0.1))
        found["pruned"] = refused(lambda: apply_step(few_levels.Settings(levels="binary"), work(pruned, "pruned")))
        rest = few_levels.Settings(levels="binary", layers=("r*", "dep*", "sc*"), except_layers=("score*",), epochs=1)
        found["not pruned"] = [name for name in dict(apply_step(rest, work(pruned, "rest")).facts) if "levels" in name]
        found["zeros"] = float((kernel.numpy() == 0).mean())
        nowhere = few_levels.Settings(layers=("nowhere",))
        nothing = few_levels.Settings(layers=("first",), except_layers=("first",))
        found["no such layer"] = refused(lambda: apply_step(nowhere, work(whole, "no")))
        found["no layer left"] = refused(lambda: apply_step(nothing, work(whole, "none")))

        hot = Training(epochs=2, batch=32, learning_rate=1e30, majority_per_epoch=0)
        found["diverged"] = refused(lambda: apply_step(fine_tune.Settings(), work(network(), "hot", training=hot)))
        found["left"] = sorted(path.name for path in Path("hot").iterdir())
        """,
        folder,
    )


def test_a_student_begins_where_the_seed_says(trained: dict[str, object]) -> None:
    assert trained["same seed"] is True
    assert trained["other seed"] is False


def test_a_factor_of_no_class(trained: dict[str, object]) -> None:
    assert "has no class Zebra" in trained["zebra"][1]  # type: ignore[index]


def test_it_trains_and_says_how_far(trained: dict[str, object]) -> None:
    facts = trained["facts"]
    assert isinstance(facts, dict)
    assert facts["epochs"] == facts["kept epoch"] == 3
    assert facts["macro F1 on held-out patients after"] > facts["macro F1 on held-out patients before"]
    assert trained["learnt"] > 0.01  # type: ignore[operator]


@pytest.mark.parametrize("end", ["linear", "sigmoid"])
def test_a_network_that_puts_out_no_probabilities_is_refused(end: str, trained: dict[str, object]) -> None:
    for step in ("fine_tune", "quantization_aware"):
        kind, message = trained[f"{step} of {end}"]  # type: ignore[misc]
        assert kind == "BadInputError"
        assert "model 'net' does not put out probabilities: its answers to the first 32 beats of 'waves' go" in message


def test_a_training_that_was_cut_goes_on_to_the_same_weights(trained: dict[str, object]) -> None:
    assert trained["resumed"] == 0.0


def test_the_best_epoch_is_kept(trained: dict[str, object]) -> None:
    best = trained["best"]
    assert isinstance(best, dict)
    assert best["macro F1 on held-out patients after"] >= best["macro F1 on held-out patients before"]


def test_ranges_stand_where_the_device_has_integers(trained: dict[str, object]) -> None:
    assert trained["ranged"] == sorted(
        f"{name}_range" for name in ("beat", "features", "first_relu", "depth_norm", "join_relu", "join", "scores")
    )
    assert trained["norms"] == 0
    assert trained["folded"] < 1e-5  # type: ignore[operator]


def test_what_training_leaves_is_on_the_devices_grid(trained: dict[str, object]) -> None:
    assert trained["saved"] == 0.0
    assert set(trained["frozen"]) == {1.0}  # type: ignore[call-overload]
    assert trained["on_grid"] < 1e-3  # type: ignore[operator]
    assert "already" in trained["twice"][1]  # type: ignore[index]
    assert "layer 'loop' (GRU) has no quantization-aware form" in trained["odd"][1]  # type: ignore[index]


def test_operations_of_keras_have_the_ranges_of_their_layers(tmp_path: Path) -> None:
    found = run(
        """
        def joined(operations):
            keras.utils.set_random_seed(1)
            beat = keras.Input((16, 2), name="beat")
            x = layers.Conv1D(8, 3, padding="same", use_bias=False, name="first")(beat)
            x = layers.BatchNormalization(name="first_norm")(x)
            x = keras.ops.relu6(x) if operations else layers.ReLU(6.0, name="relu6")(x)
            y = layers.Conv1D(8, 3, padding="same", name="second")(x)
            x = keras.ops.relu(x + y) if operations else layers.ReLU(name="relu")(layers.Add(name="add")([x, y]))
            w = layers.Dense(8, name="gate")(x)
            w = keras.ops.sigmoid(w) if operations else layers.Activation("sigmoid", name="sigmoid")(w)
            x = x * w if operations else layers.Multiply(name="multiply")([x, w])
            x = layers.Dense(3, name="scores")(layers.GlobalAveragePooling1D(name="pool")(x))
            x = keras.ops.softmax(x) if operations else layers.Softmax(name="softmax")(x)
            return keras.Model(beat, x, name="net")

        def prepared(operations):
            given = joined(operations)
            for _ in range(2):  # the network stays as it was
                model = aware.prepared(given)
            for layer in aware.ranges_of(model):
                layer.low.assign(-1.0)
                layer.high.assign(1.0)
            return model

        x = data().inputs[0]
        own, layered = prepared(True), prepared(False)
        found["ranges"] = [sorted(one.name for one in aware.ranges_of(model)) for model in (own, layered)]
        save_keras(own, Path("own.keras"))
        answers = [one.predict(x, verbose=0) for one in (own, layered, load_keras(Path("own.keras")))]
        found["equal"] = [bool((answers[0] == one).all()) for one in answers]

        beat = keras.Input((16, 2), name="beat")
        y = layers.Conv1D(8, 3, name="first")(beat) * 0.5 + 1.0
        y = keras.ops.mean(keras.ops.softmax(keras.ops.gelu(y), axis=1), axis=1)
        odd = keras.Model(beat, layers.Dense(3, activation="softmax", name="scores")(y))
        found["odd"] = refused(lambda: aware.prepared(odd))
        """,
        tmp_path,
    )
    own, layered = found["ranges"]  # type: ignore[misc]
    assert own == layered
    assert found["equal"] == [True, True, True]
    for words in (
        "operation 'multiply_1' (Multiply with a constant) has",
        "operation 'add_1' (Add with a constant) has",
        "operation 'gelu' (Gelu) has",
        "operation 'softmax_1' (Softmax over axis 1) has",
        "operation 'mean' (Mean) has",
    ):
        assert f"{words} no quantization-aware form" in found["odd"][1]  # type: ignore[index]


def test_a_network_with_ranges_is_the_same_file_from_every_process(tmp_path: Path) -> None:
    code = """
        import hashlib
        keras.utils.set_random_seed(1)
        model = aware.prepared(network())
        save_keras(model, Path("ranges.keras"))
        loaded = load_keras(Path("ranges.keras"))
        save_keras(loaded, Path("again.keras"))
        found["files"] = [hashlib.sha256(Path(f"{one}.keras").read_bytes()).hexdigest() for one in ("ranges", "again")]
        found["names"] = [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    """
    first, second = run(code, tmp_path), run(code, tmp_path)
    assert first["files"] == second["files"]
    assert first["names"] is True


def test_distillation(trained: dict[str, object]) -> None:
    taught = trained["taught"]
    assert isinstance(taught, dict)
    assert taught["teachers"] == 2
    assert taught["parameters of the student"] < taught["parameters of the teacher"]
    assert trained["student"] is True


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("other classes", "the data has 3 classes"),
        ("logits of a teacher", "model 'logits' does not put out probabilities"),
        ("larger", "its teacher"),
        ("no layer", "has no layer 'nowhere'"),
        ("nobody", "neither a teacher nor a student"),
        ("both", "a student file and a family"),
        ("no file", "does not exist"),
        ("no model", "broken.keras"),
    ],
)
def test_a_distillation_that_cannot_be(case: str, words: str, trained: dict[str, object]) -> None:
    kind, message = trained[case]  # type: ignore[misc]
    assert words in message
    assert kind in ("BadInputError", "FileMissingError", "ModelFileError")


@pytest.mark.parametrize(("levels", "most"), [("cluster", 5), ("four_bit", 15), ("ternary", 3), ("binary", 2)])
def test_weights_on_few_levels(levels: str, most: int, trained: dict[str, object]) -> None:
    found = trained[levels]
    assert isinstance(found, dict)
    assert set(found) == {"levels of first", "levels of depth", "levels of rhythm", "first", "depth"}
    assert all(2 <= count <= most for count in found.values())


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no such layer", "has no layer 'nowhere' that this step could work on"),
        ("no layer left", "leaves no layer"),
        ("pruned", "weights of first were pruned, and binary weights have no zero"),
        ("leadwire.compress.steps.few_levels too late", "quantization-aware already"),
    ],
)
def test_levels_that_cannot_be(case: str, words: str, trained: dict[str, object]) -> None:
    assert words in trained[case][1]  # type: ignore[index]


def test_binary_weights_leave_pruned_layers_alone(trained: dict[str, object]) -> None:
    assert trained["not pruned"] == ["levels of depth", "levels of rhythm"]
    assert trained["zeros"] > 0.05  # type: ignore[operator]


@pytest.mark.parametrize(
    ("kind", "words"), [("prune_activations", "quantization-aware already"), ("prune_channels", "no channel of model")]
)
def test_channels_stay_behind_learnt_ranges(kind: str, words: str, trained: dict[str, object]) -> None:
    assert words in trained[f"leadwire.compress.steps.{kind} too late"][1]  # type: ignore[index]


def test_a_loss_that_is_no_number_ends_the_training(trained: dict[str, object]) -> None:
    kind, message = trained["diverged"]  # type: ignore[misc]
    assert kind == "TrainingError"
    assert "'fine_tune': the loss is" in message
    assert "model.keras" not in trained["left"]  # type: ignore[operator]

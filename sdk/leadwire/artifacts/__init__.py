"""The records that stages hand to each other. Read this module first.

    Model → MemoryPlan → FirmwareProject → FirmwareImage → BenchmarkResult ┐
      │      Board → BudgetReport (planned → linked → measured) ───────────┤→ Evidence
      └→ Predictions → ValidationResult ───────────────────────────────────┘

Each record names by SHA-256 (lower-case hex) what it was made from, so the evidence chain is a join and not a story.
A number carries its basis, a statistic its interval. Sizes are in bytes, times in the unit of the name.
"""

from .benchmark import BenchmarkResult, DeviceInfo, LatencyBin, OperatorShare, Percentiles
from .budget import BudgetLine, BudgetReport, FastMemory, FastTable, MemoryPlan, Placement
from .comparison import ArenaFigures, BackendComparison
from .compression import ClassFigures, CompressionResult, CompressionRow
from .divergence import ChangedDecision, DifferingBeat, Divergence, DivergenceCause, FloatDivergence, MarginBin
from .ec57 import Ec57Episodes, Ec57Record, Ec57Result, Ec57Runs
from .energy import BatteryLife, EnergyEstimate, EnergyResult, UncertaintyPart, UncertaintyShare
from .forecast import ForecastShare, LatencyForecast
from .image import FirmwareImage, FirmwareProject, FlashFile, LinkedObject, Section, StackBound, UserImage
from .mlperf import MlperfLoop, MlperfQuality, MlperfResult
from .quantized import (
    MODE_NAMES,
    CalibrationSet,
    ComparedMode,
    LayerError,
    LayerSensitivity,
    ModeComparison,
    QuantizationEffect,
    QuantizationRecipe,
    QuantizedModel,
    SensitivityResult,
)
from .statistic import Interval, Predictions, Statistic
from .stress import StressCondition, StressFigure, StressResult, StressWitness
from .validation import (
    Amendment,
    EndpointResult,
    EquivalenceResult,
    ExclusionResult,
    OperatingPointResult,
    ProtocolState,
    RecordAttributes,
    RecordClass,
    RecordResult,
    Reliability,
    ReliabilityBin,
    RuntimeMetrics,
    SubgroupResult,
    ValidationResult,
)
from .words import Backend, Basis, Calibrator, Goal, Personality, QuantizationMode, Verdict, sha256_hex

__all__ = [
    "MODE_NAMES",
    "Amendment",
    "ArenaFigures",
    "Backend",
    "BackendComparison",
    "Basis",
    "BatteryLife",
    "BenchmarkResult",
    "BudgetLine",
    "BudgetReport",
    "CalibrationSet",
    "Calibrator",
    "ChangedDecision",
    "ClassFigures",
    "ComparedMode",
    "CompressionResult",
    "CompressionRow",
    "DeviceInfo",
    "DifferingBeat",
    "Divergence",
    "DivergenceCause",
    "Ec57Episodes",
    "Ec57Record",
    "Ec57Result",
    "Ec57Runs",
    "EndpointResult",
    "EnergyEstimate",
    "EnergyResult",
    "EquivalenceResult",
    "ExclusionResult",
    "FastMemory",
    "FastTable",
    "FirmwareImage",
    "FirmwareProject",
    "FlashFile",
    "FloatDivergence",
    "ForecastShare",
    "Goal",
    "Interval",
    "LatencyBin",
    "LatencyForecast",
    "LayerError",
    "LayerSensitivity",
    "LinkedObject",
    "MarginBin",
    "MemoryPlan",
    "MlperfLoop",
    "MlperfQuality",
    "MlperfResult",
    "ModeComparison",
    "OperatingPointResult",
    "OperatorShare",
    "Percentiles",
    "Personality",
    "Placement",
    "Predictions",
    "ProtocolState",
    "QuantizationEffect",
    "QuantizationMode",
    "QuantizationRecipe",
    "QuantizedModel",
    "RecordAttributes",
    "RecordClass",
    "RecordResult",
    "Reliability",
    "ReliabilityBin",
    "RuntimeMetrics",
    "Section",
    "SensitivityResult",
    "StackBound",
    "Statistic",
    "StressCondition",
    "StressFigure",
    "StressResult",
    "StressWitness",
    "SubgroupResult",
    "UncertaintyPart",
    "UncertaintyShare",
    "UserImage",
    "ValidationResult",
    "Verdict",
    "sha256_hex",
]

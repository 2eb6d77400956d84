"""Floor 2: build. From a table to a packaged model: checks, splits, steps that remember, and models as folders."""

from typing import TYPE_CHECKING

from assay.on_demand import on_demand

if TYPE_CHECKING:
    from assay.build.data.adding import add_dataset
    from assay.build.data.check_command import DataCheck, check_data
    from assay.build.data.checks import CheckResult, Expectation, check_results, check_table, expect
    from assay.build.data.cleaner import Cleaner
    from assay.build.data.cleaning import Cleaning
    from assay.build.data.cleaning_suggestions import suggest_cleaning
    from assay.build.data.dataset_lineage import dataset_lineage
    from assay.build.data.difference import diff_datasets
    from assay.build.data.expectation_files import load_expectations, save_expectations
    from assay.build.data.expectations import Expectations
    from assay.build.data.finding import Finding, Findings
    from assay.build.data.inference import infer_expectations
    from assay.build.data.leakage import check_leakage
    from assay.build.data.listing import list_datasets, show_dataset
    from assay.build.data.quarantine import Quarantined, quarantine
    from assay.build.data.sources import Source, source
    from assay.build.data.split_rolling import rolling_splits
    from assay.build.data.split_slices import slice_of
    from assay.build.data.splits import Split, split, split_by_time
    from assay.build.features.declared import Features
    from assay.build.features.featured import FeaturedClassifier, FeaturedRegressor
    from assay.build.features.fitted import Frequency, TargetMean, TextParts
    from assay.build.features.importance import FeatureReport, feature_report
    from assay.build.features.suggest import Suggestion, Suggestions, suggest_features
    from assay.build.features.suggesting import suggest_features_of
    from assay.build.models.compile_command import compile_model
    from assay.build.models.compiling import CompileReport
    from assay.build.models.onnx_conversion import to_onnx
    from assay.build.models.packaging import LoadedModel, load_model, package_model
    from assay.build.models.run_model import log_model, run
    from assay.build.models.version_command import show_version
    from assay.build.searching.budget import Budget
    from assay.build.searching.parameters import Choice, Float, Int
    from assay.build.searching.pruners import Asha
    from assay.build.searching.scores import Scores
    from assay.build.searching.search import search
    from assay.build.searching.searched import Searched
    from assay.build.searching.showing import trials
    from assay.build.searching.trial import Pruned, Trial
    from assay.build.steps.idempotency import idempotency_token
    from assay.build.steps.pipeline import pipeline
    from assay.build.steps.step import step
    from assay.build.steps.waiting import Answer, answer, wait_for
    from assay.build.steps.why import StepReason, explain, why
    from assay.build.training.baselines import Trained, baselines_for, train_with_baselines
    from assay.build.training.train import TrainedModel, train
    from assay.build.views.arriving.erasing import erase
    from assay.build.views.arriving.materialize import materialize
    from assay.build.views.arriving.push import push_file, put_rows
    from assay.build.views.audits.audit_command import audit_features
    from assay.build.views.catalogue.comparing import diff_views
    from assay.build.views.catalogue.duplicates import duplicate_features
    from assay.build.views.catalogue.finding import search_features
    from assay.build.views.catalogue.registering import register_file
    from assay.build.views.catalogue.reuse import feature_usage
    from assay.build.views.catalogue.showing import list_views, show_view
    from assay.build.views.declared.view import FeatureView, feature_view
    from assay.build.views.joining.join_command import join_features

__all__ = [
    "Answer",
    "Asha",
    "Budget",
    "CheckResult",
    "Choice",
    "Cleaner",
    "Cleaning",
    "CompileReport",
    "DataCheck",
    "Expectation",
    "Expectations",
    "FeatureReport",
    "FeatureView",
    "FeaturedClassifier",
    "FeaturedRegressor",
    "Features",
    "Finding",
    "Findings",
    "Float",
    "Frequency",
    "Int",
    "LoadedModel",
    "Pruned",
    "Quarantined",
    "Scores",
    "Searched",
    "Source",
    "Split",
    "StepReason",
    "Suggestion",
    "Suggestions",
    "TargetMean",
    "TextParts",
    "Trained",
    "TrainedModel",
    "Trial",
    "add_dataset",
    "answer",
    "audit_features",
    "baselines_for",
    "check_data",
    "check_leakage",
    "check_results",
    "check_table",
    "compile_model",
    "dataset_lineage",
    "diff_datasets",
    "diff_views",
    "duplicate_features",
    "erase",
    "expect",
    "explain",
    "feature_report",
    "feature_usage",
    "feature_view",
    "idempotency_token",
    "infer_expectations",
    "join_features",
    "list_datasets",
    "list_views",
    "load_expectations",
    "load_model",
    "log_model",
    "materialize",
    "package_model",
    "pipeline",
    "push_file",
    "put_rows",
    "quarantine",
    "register_file",
    "rolling_splits",
    "run",
    "save_expectations",
    "search",
    "search_features",
    "show_dataset",
    "show_version",
    "show_view",
    "slice_of",
    "source",
    "split",
    "split_by_time",
    "step",
    "suggest_cleaning",
    "suggest_features",
    "suggest_features_of",
    "to_onnx",
    "train",
    "train_with_baselines",
    "trials",
    "wait_for",
    "why",
]

__getattr__ = on_demand(__name__, __file__)

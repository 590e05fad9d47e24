"""The judge: metrics, evaluator, report, figures."""

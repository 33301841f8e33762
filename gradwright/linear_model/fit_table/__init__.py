"""From a CSV or Parquet file to a fitted model, its certificate, a diagnosis, a saved model and a page."""

from gradwright.linear_model.fit_table.fit import Fitted, fit_table

__all__ = ["Fitted", "fit_table"]

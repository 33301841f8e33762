"""From a CSV or Parquet file to a fitted model, its certificate, a diagnosis and a page; and from it to predictions."""

from gradwright.linear_model.fit_table.fit import Fitted, fit_table
from gradwright.linear_model.fit_table.predict import Predicted, predict_table
from gradwright.linear_model.fit_table.save import load_model

__all__ = ["Fitted", "Predicted", "fit_table", "load_model", "predict_table"]

//! Presentation of results. Sees nothing but the summary and the series.

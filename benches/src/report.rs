//! dummy
use std::path::Path;
use crate::figure::Figures;
use crate::plan::Plan;
pub(crate) struct Facts<'a> { pub(crate) command: String, pub(crate) minutes: f64, pub(crate) plan: Plan, pub(crate) failed: &'a [String] }
pub(crate) fn write(figures: &Figures, _: &Path, _: &Facts<'_>) -> String {
  figures.0.iter().map(|f| f.line()+"\n").collect()
}

//! `mine doctor`

use sonar_node::cli::{self, Code, Failure, Report};

use super::Context;
use crate::doctor::{self, Check, Diagnosis};

pub async fn run(context: &Context) -> Result<Report, Failure> {
    let diagnosis = doctor::diagnose(&context.home, &context.config, None).await;
    let report = Report::new(&diagnosis, human(&diagnosis))?;
    let broken: Vec<_> = diagnosis.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect();
    if broken.is_empty() {
        return Ok(report);
    }
    let failure = Failure::new(Code::Unhealthy, format!("these checks failed: {}", broken.join(", ")));
    Ok(report.failing(failure.help("each failed check shows what to do")))
}

fn human(diagnosis: &Diagnosis) -> String {
    let mut table = cli::table(["", "CHECK", "FOUND"]);
    for Check { name, ok, detail, .. } in &diagnosis.checks {
        table.add_row([if *ok { "ok" } else { "FAILED" }, name, detail]);
    }
    let fixes = diagnosis.checks.iter().filter_map(|check| Some(format!("\n{}: {}", check.name, check.fix.as_ref()?)));
    format!("{table}\n{}", fixes.collect::<String>())
}
